import { Kind, type SelectionSetNode } from 'graphql';
import { namedTypeOf } from '../../planning/supergraphDocument.ts';
import type { SlicedWork } from '../../time/inSlices.ts';
import { type CacheGraph, fieldTypeIn, type GraphType, type KeyFields } from '../rules/cacheGraph.ts';
import { type KeyReader, readerByNames } from './keyText.ts';
import { typeTag } from './tagNames.ts';

export type AnsweredObject = Readonly<Record<string, unknown>>;

/** What an answer's objects of one type are, at one place of a selection. */
export interface ObjectPlan {
  /** Tags of all object types that it may have. */
  readonly typeTags: readonly string[];
  /** Entities that it may be; several where nothing tells which type it has. */
  readonly identities: readonly Identity[];
  /** Fields that hold objects. */
  readonly below: readonly { readonly responseName: string; readonly objects: SelectedObjects }[];
}

export interface Identity {
  /** Has keys. An interface where no more is known of the object. */
  readonly type: GraphType;
  /** In the order of the type's keys. */
  readonly keys: readonly IdentityKey[];
}

export interface IdentityKey {
  readonly text: string;
  readonly inRepresentation: KeyReader;
  /** `undefined` where not all of it is selected. */
  readonly inAnswer: KeyReader | undefined;
}

/** What may be found at one place of an answer. Plans are made when an object of their type first comes. */
export class SelectedObjects {
  readonly #sets: readonly SelectionSetNode[];
  readonly #declared: readonly string[];
  readonly #graph: CacheGraph;
  readonly #subgraph: string;
  readonly #typenames: readonly string[];
  readonly #byType = new Map<string, ObjectPlan>();
  #undetermined: ObjectPlan | undefined;

  /** `declared`: the named types that the place can have. */
  constructor(
    sets: readonly SelectionSetNode[],
    declared: readonly string[],
    graph: CacheGraph,
    subgraph: string,
  ) {
    this.#sets = sets;
    this.#declared = declared;
    this.#graph = graph;
    this.#subgraph = subgraph;
    this.#typenames = [...this.#gather(sets, undefined)].flatMap(([responseName, { names }]) =>
      names.size === 1 && names.has('__typename') ? [responseName] : [],
    );
  }

  planOf(object: AnsweredObject): ObjectPlan {
    const type = this.typeOf(object);
    if (type !== undefined) return this.planFor(type);
    this.#undetermined ??= this.#plan(this.#declared);
    return this.#undetermined;
  }

  planFor(type: GraphType): ObjectPlan {
    let plan = this.#byType.get(type.name);
    if (plan === undefined) {
      plan = this.#plan([type.name]);
      this.#byType.set(type.name, plan);
    }
    return plan;
  }

  /** The type that an object says it has; an interface where a subgraph has it as an `@interfaceObject`. */
  typeOf(object: AnsweredObject): GraphType | undefined {
    for (const responseName of this.#typenames) {
      const typename = Object.hasOwn(object, responseName) ? object[responseName] : undefined;
      if (typeof typename === 'string') return this.#graph.types.get(typename);
    }
    return undefined;
  }

  #plan(names: readonly string[]): ObjectPlan {
    const types = names.flatMap((name) => this.#graph.types.get(name) ?? []);
    const objectTypes = [...new Set(types.flatMap((type) => type.objectTypes))];
    const possible = new Set([...names, ...objectTypes]);
    const fields = this.#gather(this.#sets, possible);
    const identities = types
      .flatMap((type) =>
        type.isAbstract && type.keys.length === 0
          ? type.objectTypes.flatMap((name) => this.#graph.types.get(name) ?? [])
          : [type],
      )
      .filter((type) => type.keys.length > 0);
    return {
      // An interface that nothing implements has no objects, as far as anybody knows.
      typeTags: (objectTypes.length === 0 ? names : objectTypes).map(typeTag),
      identities: [...new Set(identities)].map((type) => ({
        type,
        keys: this.#keysOf(type),
      })),
      below: [...fields].flatMap(([responseName, { names, sets }]) =>
        sets.length === 0 ? [] : [{ responseName, objects: this.#below(names, sets, possible) }],
      ),
    };
  }

  #keysOf(type: GraphType): IdentityKey[] {
    const fields = this.#gather(this.#sets, new Set([type.name, ...type.objectTypes]));
    return type.keys.map((key) => ({
      text: key.text,
      inRepresentation: readerByNames(key.fields),
      inAnswer: this.#answerReader(key.fields, fields),
    }));
  }

  #below(
    names: ReadonlySet<string>,
    sets: readonly SelectionSetNode[],
    owners: ReadonlySet<string>,
  ): SelectedObjects {
    const declared = new Set<string>();
    for (const owner of owners) {
      for (const name of names) {
        const field = this.#graph.types.get(owner)?.fields.get(name);
        if (field !== undefined) declared.add(namedTypeOf({ type: fieldTypeIn(field, this.#subgraph) }));
      }
    }
    return new SelectedObjects(sets, [...declared], this.#graph, this.#subgraph);
  }

  #answerReader(key: KeyFields, fields: ReadonlyMap<string, GatheredField>): KeyReader | undefined {
    const reader: KeyReader[number][] = [];
    for (const [name, inner] of key) {
      const found = [...fields].find(([, { names }]) => names.size === 1 && names.has(name));
      if (found === undefined) return undefined;
      const [responseName, { sets }] = found;
      const below = inner.size === 0 ? undefined : this.#answerReader(inner, this.#gather(sets, undefined));
      if (inner.size > 0 && below === undefined) return undefined;
      reader.push({ name, responseName, below });
    }
    return reader;
  }

  /** Fields by their response names, for objects of these types; `undefined` for any. */
  #gather(
    sets: readonly SelectionSetNode[],
    possible: ReadonlySet<string> | undefined,
  ): Map<string, GatheredField> {
    const fields = new Map<string, GatheredField>();
    const gather = ({ selections }: SelectionSetNode): void => {
      for (const selection of selections) {
        if (selection.kind === Kind.FIELD) {
          const responseName = selection.alias?.value ?? selection.name.value;
          const field = fields.get(responseName) ?? { names: new Set(), sets: [] };
          fields.set(responseName, field);
          field.names.add(selection.name.value);
          if (selection.selectionSet !== undefined) field.sets.push(selection.selectionSet);
        } else if (selection.kind === Kind.INLINE_FRAGMENT) {
          const condition = selection.typeCondition?.name.value;
          if (condition === undefined || possible === undefined || this.#mayHold(condition, possible))
            gather(selection.selectionSet);
        }
      }
    };
    sets.forEach(gather);
    return fields;
  }

  #mayHold(condition: string, possible: ReadonlySet<string>): boolean {
    const objectTypes = this.#graph.types.get(condition)?.objectTypes ?? [];
    return possible.has(condition) || objectTypes.some((type) => possible.has(type));
  }
}

interface GatheredField {
  /** Several where types have different fields under one response name. */
  readonly names: Set<string>;
  readonly sets: SelectionSetNode[];
}

/** Visits all objects of a value, each before those within it, as work in slices. */
export function* visitObjects(
  value: unknown,
  objects: SelectedObjects,
  visit: (plan: ObjectPlan, object: AnsweredObject) => void,
): SlicedWork {
  const open: Open[] = [{ values: [value], objects, next: 0 }];
  let seen = 0;
  for (let top = open.at(-1); top !== undefined; top = open.at(-1)) {
    if (top.next === top.values.length) {
      open.pop();
      continue;
    }
    const element = top.values[top.next++];
    if (++seen % valuesPerPause === 0) yield;
    if (typeof element !== 'object' || element === null) continue;
    if (Array.isArray(element)) {
      open.push({ values: element, objects: top.objects, next: 0 });
      continue;
    }
    const plan = top.objects.planOf(element as AnsweredObject);
    visit(plan, element as AnsweredObject);
    open.push(...placesBelow(plan, element as AnsweredObject));
  }
}

/** The same for what is below an object. */
export function* visitObjectsBelow(
  plan: ObjectPlan,
  object: AnsweredObject,
  visit: (plan: ObjectPlan, object: AnsweredObject) => void,
): SlicedWork {
  for (const { values, objects } of placesBelow(plan, object)) yield* visitObjects(values, objects, visit);
}

interface Open {
  readonly values: readonly unknown[];
  readonly objects: SelectedObjects;
  next: number;
}

function placesBelow({ below }: ObjectPlan, object: AnsweredObject): Open[] {
  return below.flatMap(({ responseName, objects }) => {
    const value = Object.hasOwn(object, responseName) ? object[responseName] : undefined;
    return typeof value === 'object' && value !== null ? [{ values: [value], objects, next: 0 }] : [];
  });
}

/** About a tenth of a millisecond's work. */
const valuesPerPause = 64;
