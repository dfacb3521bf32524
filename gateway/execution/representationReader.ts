import { generateFunction, isPlainName } from '../json/generateFunction.ts';
import { hasInfinity } from '../json/hasInfinity.ts';
import { isObject } from '../json/isObject.ts';
import type { FetchDataRewrite, RequiresSelection } from '../planning/queryPlan.ts';
import { mergeValues, type ResponseObject, setKey } from './responseTree.ts';
import { applyRewrites } from './rewrites.ts';
import type { TypeConditions } from './typeConditions.ts';

/** Builds the representations of a fetch node from objects of the response tree. */
export class RepresentationReader {
  /** Equal for two fetch nodes that build equal representations from equal objects. */
  readonly key: string;
  readonly #requires: readonly RequiresSelection[];
  readonly #inputRewrites: readonly FetchDataRewrite[];
  readonly #conditions: TypeConditions;
  readonly #objectType: string | undefined;
  readonly #byType = new Map<string, TypeRepresentation | undefined>();
  /** Most objects have the type of the one before. */
  #lastTypename: string | undefined;
  #lastRepresentation: TypeRepresentation | undefined;

  /** `objectType`: the type of all objects that the fetch is for; `undefined` if their `__typename` decides. */
  constructor(
    requires: readonly RequiresSelection[],
    inputRewrites: readonly FetchDataRewrite[],
    conditions: TypeConditions,
    objectType?: string,
  ) {
    this.#objectType = objectType;
    this.key = JSON.stringify([requires, inputRewrites]);
    this.#requires = requires;
    this.#inputRewrites = inputRewrites;
    this.#conditions = conditions;
  }

  /** Returns the representation of objects of this object's type; `undefined` for types that the fetch is not for. */
  representationOf(object: ResponseObject): TypeRepresentation | undefined {
    const typename = this.#typenameOf(object);
    if (typename === undefined) return undefined;
    if (typename === this.#lastTypename) return this.#lastRepresentation;
    if (!this.#byType.has(typename)) this.#byType.set(typename, this.#compile(typename));
    this.#lastTypename = typename;
    this.#lastRepresentation = this.#byType.get(typename);
    return this.#lastRepresentation;
  }

  /** The key of an input that the object lacks; `undefined` for none. Ignores the fields of inputs. */
  missingInputOf(object: ResponseObject): string | undefined {
    const inputs = this.#selectionsFor(this.#typenameOf(object)).flatMap((selection) =>
      selection.kind === 'Field' ? selection : selection.selections,
    );
    for (const input of inputs) {
      if (input.kind !== 'Field' || input.name === '__typename') continue;
      const key = input.alias ?? input.name;
      if (object[key] === undefined) return key;
    }
    return undefined;
  }

  #typenameOf({ __typename: typename }: ResponseObject): string | undefined {
    return this.#objectType ?? (typeof typename === 'string' ? typename : undefined);
  }

  #compile(typename: string): TypeRepresentation | undefined {
    const selections = this.#selectionsFor(typename);
    if (selections.length === 0) return undefined;
    const fields = this.#inputRewrites.length > 0 ? undefined : flatFields(selections);
    return (
      (fields && createFlatRepresentation(typename, fields)) ??
      new NestedRepresentation(typename, selections, this.#inputRewrites, this.#conditions)
    );
  }

  #selectionsFor(typename: string | undefined): RequiresSelection[] {
    return this.#requires.filter(
      (selection) =>
        selection.kind === 'Field' ||
        selection.typeCondition === undefined ||
        (typename !== undefined && this.#conditions.matches(selection.typeCondition, typename)),
    );
  }
}

/** Representations of one runtime type. */
export interface TypeRepresentation {
  readonly typename: string;
  /** Equal for equal representations, but not only for them. `undefined` for an object with a missing input, whose entity is
   *  not fetched. */
  lookupKey(object: ResponseObject): unknown;
  /** Whether two objects with equal look-up keys have equal representations. */
  isSame(first: ResponseObject, second: ResponseObject): boolean;
  /** JSON text, with fields in the order of `requires`; `undefined` for an object with a missing input, or with an infinite
   *  number in one. */
  serialize(object: ResponseObject): string | undefined;
}

/** Creates the representation of a type with scalar fields only. The look-up key is the first field. `undefined` where code
 *  generation is forbidden. */
function createFlatRepresentation(
  typename: string,
  namesByKey: ReadonlyMap<string, string>,
): TypeRepresentation | undefined {
  const fields = [...namesByKey.keys()];
  const [lookupField = '__typename', ...rest] = fields;
  const start = `{"__typename":${JSON.stringify(typename)}`;
  const names = [...namesByKey.values()].map((name) => `,${JSON.stringify(name)}:`);
  // One piece of text less for each representation.
  const prefixes = names.map((name, i) => (i === 0 ? start + name : name));
  const end = names.length === 0 ? `${start}}` : '}';
  const captured = { sameValue, comparable, valueText, end, prefixes };

  const comparisons = rest.map((name) => `sameValue(first.${name}, second.${name})`);
  const reads = fields.map(
    (name, i) => `const v${i} = valueText(object.${name});\nif (v${i} === undefined) return undefined;`,
  );
  const parts = fields.map((_, i) => `prefixes[${i}] + v${i} + `);
  const lookupKey = generateFunction<TypeRepresentation['lookupKey']>(
    'lookupKey',
    ['object'],
    `return comparable(object.${lookupField});`,
    captured,
  );
  const isSame = generateFunction<TypeRepresentation['isSame']>(
    'isSame',
    ['first', 'second'],
    `return ${comparisons.length === 0 ? 'true' : comparisons.join(' && ')};`,
    captured,
  );
  const serialize = generateFunction<TypeRepresentation['serialize']>(
    'serializeRepresentation',
    ['object'],
    `${reads.join('\n')}\nreturn ${parts.join('')}end;`,
    captured,
  );
  if (lookupKey === undefined || isSame === undefined || serialize === undefined) return undefined;
  return { typename, lookupKey, isSame, serialize };
}

/** Objects, which are values of custom scalars, are compared by their content. */
function comparable(value: unknown): unknown {
  return typeof value === 'object' && value !== null ? JSON.stringify(value) : value;
}

function sameValue(first: unknown, second: unknown): boolean {
  return first === second || (typeof first === 'object' && JSON.stringify(first) === JSON.stringify(second));
}

function valueText(value: unknown): string | undefined {
  return Number.isFinite(value) ? String(value) : JSON.stringify(finiteValue(value));
}

/** `undefined` for a value with an infinite number, for which JSON.stringify would write null. */
function finiteValue(value: unknown): unknown {
  return typeof value !== 'string' && hasInfinity(value) ? undefined : value;
}

/** The representation of a type with nested selections, type conditions or input rewrites, and of each type where code
 *  generation is forbidden. */
class NestedRepresentation implements TypeRepresentation {
  readonly typename: string;
  readonly #selections: readonly RequiresSelection[];
  readonly #rewrites: readonly FetchDataRewrite[];
  readonly #conditions: TypeConditions;

  constructor(
    typename: string,
    selections: readonly RequiresSelection[],
    rewrites: readonly FetchDataRewrite[],
    conditions: TypeConditions,
  ) {
    this.typename = typename;
    this.#selections = selections;
    this.#rewrites = rewrites;
    this.#conditions = conditions;
  }

  lookupKey(object: ResponseObject): unknown {
    return this.serialize(object);
  }

  isSame(): boolean {
    return true;
  }

  serialize(object: ResponseObject): string | undefined {
    const representation: ResponseObject = {};
    if (!this.#fill(representation, object, this.#selections, this.typename)) return undefined;
    applyRewrites(this.#rewrites, representation, this.typename, this.#conditions);
    return JSON.stringify(representation);
  }

  /** Returns false when an input is missing. */
  #fill(
    into: ResponseObject,
    object: ResponseObject,
    selections: readonly RequiresSelection[],
    typename: string | undefined,
  ): boolean {
    for (const selection of selections) {
      if (selection.kind === 'InlineFragment') {
        const holds =
          selection.typeCondition === undefined ||
          typename === undefined ||
          this.#conditions.matches(selection.typeCondition, typename);
        if (holds && !this.#fill(into, object, selection.selections, typename)) return false;
        continue;
      }
      const key = selection.alias ?? selection.name;
      const value = key === '__typename' ? (object.__typename ?? typename) : object[key];
      if (value === undefined) return false;
      const read =
        selection.selections === undefined ? finiteValue(value) : this.#read(value, selection.selections);
      if (read === undefined) return false;
      // Fragments that apply to one object may select different fields of the same input.
      if (selection.selections !== undefined && Object.hasOwn(into, selection.name))
        mergeValues(into[selection.name], read, this.#conditions.isObjectType);
      else setKey(into, selection.name, read);
    }
    return true;
  }

  #read(value: unknown, selections: readonly RequiresSelection[]): unknown {
    if (Array.isArray(value)) {
      const elements = value.map((element) => this.#read(element, selections));
      return elements.includes(undefined) ? undefined : elements;
    }
    if (!isObject(value)) return value;
    const into: ResponseObject = {};
    const typename = typeof value.__typename === 'string' ? value.__typename : undefined;
    return this.#fill(into, value, selections, typename) ? into : undefined;
  }
}

/** Returns the names of the scalar fields besides `__typename`, by their keys in the response tree; `undefined` for
 *  selections with other fields. */
function flatFields(selections: readonly RequiresSelection[]): Map<string, string> | undefined {
  const names = new Map<string, string>();
  for (const selection of selections) {
    if (selection.kind === 'InlineFragment') {
      const inner = selection.selections;
      if (inner.some((field) => field.kind !== 'Field')) return undefined;
      const flat = flatFields(inner);
      if (flat === undefined) return undefined;
      for (const [key, name] of flat) names.set(key, name);
      continue;
    }
    const key = selection.alias ?? selection.name;
    if (selection.selections !== undefined || !isPlainName(key)) return undefined;
    if (key !== '__typename') names.set(key, selection.name);
  }
  return names;
}
