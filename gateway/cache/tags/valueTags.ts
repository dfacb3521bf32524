import { Kind, type OperationTypeNode } from 'graphql';
import type { SlicedWork } from '../../time/inSlices.ts';
import type { CacheGraph } from '../rules/cacheGraph.ts';
import type { FetchedShape } from '../rules/fetchedShape.ts';
import { BoundedEntities } from './boundedEntities.ts';
import { readKey } from './keyText.ts';
import {
  type AnsweredObject,
  type Identity,
  type ObjectPlan,
  SelectedObjects,
  visitObjectsBelow,
} from './selectedObjects.ts';
import { entityTagOf, typeTag, unknownEntityTag } from './tagNames.ts';

/** Says what the values of one fetch shape can be invalidated by, apart from subgraph and rule: the object types of
 *  all that they hold, and the entities. Values are as the subgraph sent them, before output rewrites. */
export interface ValueTagger {
  /** Of the answer for one representation; its key counts even if the value is null. */
  ofEntity(representation: AnsweredObject, value: unknown): SlicedWork<readonly string[]>;
  /** Of a root fetch's data, or of a part of it. */
  ofRoot(data: unknown): SlicedWork<readonly string[]>;
  /** Of one root field. */
  ofRootField(responseName: string, value: unknown): SlicedWork<readonly string[]>;
}

/** Most tags of entities that one entry has. */
const mostEntityTags = 100;

/** To be made once for each shape and supergraph. */
export function createValueTagger(shape: FetchedShape, graph: CacheGraph): ValueTagger {
  const { document, isEntityFetch, kind, subgraph } = shape;
  const rootType = graph.types.get(graph.roots.get(kind as OperationTypeNode) ?? '');
  const sets = isEntityFetch
    ? document.selectionSet.selections.flatMap((selection) =>
        selection.kind === Kind.FIELD ? (selection.selectionSet ?? []) : [],
      )
    : [document.selectionSet];
  const objects = new SelectedObjects(sets, [], graph, subgraph);

  function* ofRoot(data: unknown): SlicedWork<readonly string[]> {
    if (rootType === undefined) return [];
    const tags = new EntryTags();
    yield* tags.addObject(objects.planFor(rootType), asObject(data), undefined);
    return tags.list();
  }

  return {
    *ofEntity(representation, value) {
      const name = representation.__typename;
      if (typeof name !== 'string') return [];
      const object = asObject(value);
      const answered = object === undefined ? undefined : objects.typeOf(object);
      // An entity that was asked for by its interface may say what it is.
      const type = answered?.isAbstract === false ? answered : graph.types.get(name);
      if (type === undefined) return [typeTag(name)];
      const tags = new EntryTags();
      yield* tags.addObject(objects.planFor(type), object, representation);
      return tags.list();
    },
    ofRoot,
    ofRootField: (responseName, value) => ofRoot({ [responseName]: value }),
  };
}

class EntryTags {
  readonly #types = new Set<string>();
  readonly #entities = new BoundedEntities(mostEntityTags, ({ name }) => [unknownEntityTag(name)]);

  *addObject(
    plan: ObjectPlan,
    object: AnsweredObject | undefined,
    representation: AnsweredObject | undefined,
  ): SlicedWork {
    this.#add(plan, object, representation);
    if (object === undefined) return;
    yield* visitObjectsBelow(plan, object, (inner, below) => this.#add(inner, below, undefined));
  }

  list(): readonly string[] {
    return [...this.#types, ...this.#entities.tags()];
  }

  #add(
    { typeTags, identities }: ObjectPlan,
    object: AnsweredObject | undefined,
    representation: AnsweredObject | undefined,
  ): void {
    for (const tag of typeTags) this.#types.add(tag);
    for (const identity of identities) {
      const { type } = identity;
      if (this.#entities.isWhole(type)) continue;
      const known = knownKeys(identity, object, representation);
      if (known.size === 0) {
        this.#entities.addWhole(type);
        continue;
      }
      const tags = [...known.values()].map((keyText) => entityTagOf(type.name, keyText));
      // An object type that is known by all its keys is told apart by whichever is given. An interface may be
      // invalidated by a key of one of its object types, which it does not have.
      if (type.isAbstract || known.size < type.keys.length)
        tags.push(unknownEntityTag(type.name, [...known.keys()]));
      this.#entities.add(type, tags);
    }
  }
}

/** Canonical texts of the keys that are known of an entity, by the keys' texts. */
export function knownKeys(
  { keys }: Identity,
  object: AnsweredObject | undefined,
  representation: AnsweredObject | undefined,
): Map<string, string> {
  const known = new Map<string, string>();
  for (const { text, inRepresentation, inAnswer } of keys) {
    const asked = representation === undefined ? undefined : readKey(inRepresentation, representation);
    const answered = object === undefined || inAnswer === undefined ? undefined : readKey(inAnswer, object);
    const keyText = asked ?? answered;
    if (keyText !== undefined) known.set(text, keyText);
  }
  return known;
}

function asObject(value: unknown): AnsweredObject | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as AnsweredObject)
    : undefined;
}
