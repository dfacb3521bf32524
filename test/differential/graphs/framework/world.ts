import {
  type FieldNode,
  GraphQLError,
  Kind,
  type SelectionSetNode,
  type TypeNode,
  valueFromASTUntyped,
} from 'graphql';
import { Definitions, type FieldPlace, namedTypeOf } from './definitions.ts';
import { Faults } from './faults.ts';
import type { Call, Graph, Thing } from './graph.ts';
import { hash } from './hash.ts';

/** Of one operation. */
export interface TrialScope {
  readonly faults: Faults;
  readonly state: unknown;
  /** Messages of what failed where no field of the operation stands: within what a `@requires` selects. */
  readonly hidden: Set<string>;
  /** Called for each fault, where they are counted. */
  readonly onFault?: (() => void) | undefined;
  /** Whose entities are left out, with all that may need them. */
  readonly lostSubgraph?: string | undefined;
}

type Read = (typeName: string, thing: Thing, field: FieldNode) => unknown;

/** A graph's data and the one way to answer a field of it, for monolith and subgraphs. */
export class World {
  readonly graph: Graph;
  readonly definitions: Definitions;
  /** How often a field failed in a subgraph, by the kind of the operation. */
  readonly faultCounts = { query: 0, mutation: 0 };
  readonly #scopes = new Map<string, TrialScope>();

  constructor(graph: Graph) {
    this.graph = graph;
    this.definitions = new Definitions(graph.subgraphs);
  }

  createScope(faults: string | undefined): TrialScope {
    return { faults: Faults.read(faults), state: this.graph.createState?.(), hidden: new Set() };
  }

  /** For a subgraph: the same for all requests of one operation, if that has a name, as mutations do. */
  scopeOf(trial: string, faults: string | undefined): TrialScope {
    const key = `${trial} ${faults}`;
    const kind = trial === '' ? 'query' : 'mutation';
    const onFault = (): void => void this.faultCounts[kind]++;
    const scope = this.#scopes.get(key) ?? { ...this.createScope(faults), onFault };
    if (trial !== '') this.#scopes.set(key, scope);
    return scope;
  }

  /** Errors: an injected fault, or what the graph's resolver throws. */
  resolve(
    typeName: string,
    thing: Thing,
    fieldName: string,
    args: Readonly<Record<string, unknown>>,
    scope: TrialScope,
    required: Call['required'] | undefined,
  ): unknown {
    const runtime = thing.__typename ?? typeName;
    if (this.#mayFail(runtime, fieldName) && scope.faults.hits(`${labelOf(thing)}.${fieldName}`)) {
      scope.onFault?.();
      throw new GraphQLError(`${fieldName} of ${labelOf(thing)} failed`);
    }
    const resolver = [runtime, ...this.definitions.supertypes(runtime)]
      .map((name) => this.graph.resolvers?.[`${name}.${fieldName}`])
      .find((found) => found !== undefined);
    if (resolver !== undefined)
      return resolver(thing, args, { required: required ?? {}, state: scope.state });
    if (Object.hasOwn(thing, fieldName)) return read(thing, fieldName, args);
    const { type } = this.definitions.declaration(runtime, fieldName);
    const asked = Object.keys(args).length === 0 ? '' : `(${stable(args)})`;
    return madeUp(`${labelOf(thing)}.${fieldName}${asked}${required ? `<${stable(required)}>` : ''}`, type);
  }

  /** The entity that a reference means; undefined where the subgraph does not know it. */
  find(subgraph: string, typeName: string, reference: Thing): Thing | undefined {
    const keys = this.definitions.keys(subgraph, typeName).filter(({ isResolvable }) => isResolvable);
    const wanted = keys.map(({ selection }) => ({
      selection,
      text: this.#identity(reference, typeName, selection),
    }));
    const usable = wanted.filter(({ text }) => !text.includes(missing));
    if (usable.length === 0) throw new GraphQLError(`No key of ${subgraph} in ${JSON.stringify(reference)}`);
    const { things } = this.graph;
    return [typeName, ...this.definitions.subtypes(typeName)]
      .flatMap((name) => things[name] ?? [])
      .find(
        (thing) =>
          this.graph.isUnknown?.(thing, subgraph) !== true &&
          usable.every(({ selection, text }) => this.#identity(thing, typeName, selection) === text),
      );
  }

  /** What a selection gives, by field names. */
  select(value: unknown, typeName: string, set: SelectionSetNode, readField: Read): unknown {
    if (value === null || value === undefined) return null;
    if (Array.isArray(value)) return value.map((item) => this.select(item, typeName, set, readField));
    const thing = value as Thing;
    const runtime = thing.__typename ?? typeName;
    const result: Record<string, unknown> = {};
    for (const node of set.selections) {
      if (node.kind === Kind.FRAGMENT_SPREAD) continue;
      if (node.kind === Kind.INLINE_FRAGMENT) {
        const condition = node.typeCondition?.name.value;
        if (condition !== undefined && !this.definitions.isA(runtime, condition)) {
          // Representations say nothing of the types of objects in them, unless that is required.
          if (thing.__typename === undefined) Object.assign(result, givenOf(thing, node.selectionSet));
          continue;
        }
        Object.assign(result, this.select(thing, typeName, node.selectionSet, readField));
        continue;
      }
      const name = node.name.value;
      if (name === '__typename') result[name] = runtime;
      else {
        const child = readField(runtime, thing, node);
        result[name] =
          node.selectionSet === undefined || child === missing
            ? child
            : this.select(
                child,
                namedTypeOf(this.definitions.declaration(runtime, name).type),
                node.selectionSet,
                readField,
              );
      }
    }
    return result;
  }

  /** What a representation has of a selection. */
  pick(reference: Thing, typeName: string, set: SelectionSetNode): Call['required'] {
    return this.select(reference, typeName, set, readGiven) as Call['required'];
  }

  /** What a subgraph is to be sent for the field of this object; null where a part of it is nowhere to be had, so
   *  that the subgraph is not asked. */
  require(
    thing: Thing,
    typeName: string,
    { requires }: FieldPlace,
    scope: TrialScope,
  ): Call['required'] | null | undefined {
    if (requires === undefined) return undefined;
    const required = this.selectAnswers(thing, typeName, requires, scope);
    return stable(required).includes(missing) ? null : required;
  }

  /** What a selection gives when its fields are resolved. */
  selectAnswers(thing: Thing, typeName: string, set: SelectionSetNode, scope: TrialScope): Call['required'] {
    const readField: Read = (parentType, parent, node) => this.#answer(parentType, parent, node, scope);
    return this.select(thing, typeName, set, readField) as Call['required'];
  }

  #answer(typeName: string, thing: Thing, node: FieldNode, scope: TrialScope): unknown {
    const name = node.name.value;
    const place = this.placeFor(typeName, thing, name);
    if (place === undefined) return missing;
    const args: Record<string, unknown> = {};
    for (const { name: argument, defaultValue } of place.node.arguments ?? []) {
      const given = node.arguments?.find((one) => one.name.value === argument.value)?.value ?? defaultValue;
      if (given !== undefined) args[argument.value] = valueFromASTUntyped(given);
    }
    const required = this.require(thing, typeName, place, scope);
    if (required === null) return null;
    try {
      return this.resolve(typeName, thing, name, args, scope, required);
    } catch (error) {
      scope.hidden.add((error as Error).message);
      return null;
    }
  }

  /** The subgraph that is to answer; undefined where none knows the object. */
  placeFor(typeName: string, thing: Thing, fieldName: string): FieldPlace | undefined {
    const { isUnknown = () => false } = this.graph;
    return this.definitions
      .answering(typeName, fieldName)
      .find(({ subgraph }) => !isUnknown(thing, subgraph));
  }

  /** Whether the field may be asked of the subgraph's entities, or anything that it requires. */
  mayNeed(subgraph: string, typeName: string, fieldName: string): boolean {
    if (rootTypes.has(typeName)) return false;
    return this.definitions
      .answering(typeName, fieldName)
      .some(
        ({ subgraph: own, requires, fromContext }) =>
          own === subgraph || requires !== undefined || fromContext.length > 0,
      );
  }

  /** A fault stands where null may stand, and where it does not keep others from being found. */
  #mayFail(typeName: string, fieldName: string): boolean {
    return (
      !this.definitions.isKeyField(fieldName) &&
      this.definitions
        .answering(typeName, fieldName)
        .every(({ node }) => node.type.kind !== Kind.NON_NULL_TYPE)
    );
  }

  #identity(value: Thing, typeName: string, selection: SelectionSetNode): string {
    return stable(this.select(value, typeName, selection, readGiven));
  }
}

const missing = '(missing)';

const rootTypes: ReadonlySet<string> = new Set(['Query', 'Mutation']);

function readGiven(_: string, thing: Thing, node: FieldNode): unknown {
  const name = node.name.value;
  return Object.hasOwn(thing, name) ? read(thing, name, {}) : missing;
}

/** Fields of a fragment for what may be an object of its type. */
function givenOf(thing: Thing, set: SelectionSetNode): Record<string, unknown> {
  const names = set.selections.flatMap((node) => (node.kind === Kind.FIELD ? [node.name.value] : []));
  return Object.fromEntries(
    names.filter((name) => Object.hasOwn(thing, name)).map((name) => [name, thing[name]]),
  );
}

function read(thing: Thing, name: string, args: Readonly<Record<string, unknown>>): unknown {
  const value = thing[name];
  return typeof value === 'function' ? value(args) : value;
}

/** Tells objects apart: what a field's made-up value begins with. */
function labelOf(thing: Thing): string {
  if (thing.label !== undefined) return String(thing.label);
  if (thing.id !== undefined) return `${thing.__typename ?? ''} ${thing.id}`.trim();
  const plain = Object.entries(thing).filter(
    ([, value]) => typeof value !== 'function' && typeof value !== 'object',
  );
  return plain.length === 0 ? 'root' : plain.map(([, value]) => String(value)).join(' ');
}

/** JSON in which equal values are equal texts. */
function stable(value: unknown): string {
  return JSON.stringify(value, (_, inner) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([one], [other]) => (one < other ? -1 : 1)))
      : inner,
  );
}

function madeUp(text: string, type: TypeNode): unknown {
  if (type.kind === Kind.NON_NULL_TYPE) return madeUp(text, type.type);
  if (type.kind === Kind.LIST_TYPE) return [0, 1].map((index) => madeUp(`${text}[${index}]`, type.type));
  switch (type.name.value) {
    case 'String':
    case 'ID':
      return text;
    case 'Int':
      return hash(text) % 1_000_000;
    case 'Float':
      return (hash(text) % 1_000_000) + 0.5;
    case 'Boolean':
      return hash(text) % 2 === 0;
    default:
      throw new Error(`The graph has nothing for ${text}`);
  }
}
