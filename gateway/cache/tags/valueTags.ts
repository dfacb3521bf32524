import { Kind, type OperationTypeNode } from 'graphql';
import type { SlicedTask } from '../../time/slicedTask.ts';
import type { CacheGraph } from '../rules/cacheGraph.ts';
import type { OperationShape } from '../rules/visitSelections.ts';
import { BoundedEntityTags } from './boundedEntityTags.ts';
import { readKey } from './keyText.ts';
import {
  type EntityIdentity,
  type ObjectPlan,
  SelectedObjects,
  type SubgraphObject,
  visitNestedObjects,
} from './selectedObjects.ts';
import { entityTagOf, typeTag, unknownEntityTag } from './tagNames.ts';

/** Computes the type tags and entity tags of the values of one fetch shape. Values must be as the subgraph sent them,
 *  before output rewrites. */
export interface ValueTagger {
  /** Tags of the response for one representation. The tag of its key is included even if the value is null. */
  tagEntity(representation: SubgraphObject, value: unknown): SlicedTask<readonly string[]>;
  /** Tags of the data of a root fetch, or of a part of it. */
  tagRoot(data: unknown): SlicedTask<readonly string[]>;
}

/** The maximum number of entity tags of one entry. */
const maxEntityTags = 100;

/** Create one tagger for each shape and supergraph: it prepares plans for the shape. */
export function createValueTagger(shape: OperationShape, graph: CacheGraph): ValueTagger {
  const { document, isEntityFetch, kind, subgraph } = shape;
  const rootType = graph.types.get(graph.roots.get(kind as OperationTypeNode) ?? '');
  const sets = isEntityFetch
    ? document.selectionSet.selections.flatMap((selection) =>
        selection.kind === Kind.FIELD ? (selection.selectionSet ?? []) : [],
      )
    : [document.selectionSet];
  const objects = new SelectedObjects(sets, [], graph, subgraph);

  function* tagRoot(data: unknown): SlicedTask<readonly string[]> {
    if (rootType === undefined) return [];
    const tags = new EntryTags();
    yield* tags.addObject(objects.planForType(rootType), asObject(data), undefined);
    return tags.toList();
  }

  return {
    *tagEntity(representation, value) {
      const name = representation.__typename;
      if (typeof name !== 'string') return [];
      const object = asObject(value);
      const ownType = object === undefined ? undefined : objects.typeOf(object);
      // The response may name the object type of an entity that was fetched by its interface.
      const type = ownType?.isAbstract === false ? ownType : graph.types.get(name);
      if (type === undefined) return [typeTag(name)];
      const tags = new EntryTags();
      yield* tags.addObject(objects.planForType(type), object, representation);
      return tags.toList();
    },
    tagRoot,
  };
}

class EntryTags {
  readonly #types = new Set<string>();
  readonly #entities = new BoundedEntityTags(maxEntityTags, ({ name }) => [unknownEntityTag(name)]);

  *addObject(
    plan: ObjectPlan,
    object: SubgraphObject | undefined,
    representation: SubgraphObject | undefined,
  ): SlicedTask {
    this.#add(plan, object, representation);
    if (object === undefined) return;
    yield* visitNestedObjects(plan, object, (nestedPlan, nestedObject) =>
      this.#add(nestedPlan, nestedObject, undefined),
    );
  }

  toList(): readonly string[] {
    return [...this.#types, ...this.#entities.toList()];
  }

  #add(
    { typeTags, identities }: ObjectPlan,
    object: SubgraphObject | undefined,
    representation: SubgraphObject | undefined,
  ): void {
    for (const tag of typeTags) this.#types.add(tag);
    for (const identity of identities) {
      const { type } = identity;
      if (this.#entities.isCollapsed(type)) continue;
      const known = readKnownKeys(identity, object, representation);
      if (known.size === 0) {
        this.#entities.collapseType(type);
        continue;
      }
      const tags = [...known.values()].map((keyText) => entityTagOf(type.name, keyText));
      // If all keys of an object are known, any key identifies it. An interface also needs the other tag, because an
      // invalidation may use a key of an object type that the interface lacks.
      if (type.isAbstract || known.size < type.keys.length)
        tags.push(unknownEntityTag(type.name, [...known.keys()]));
      this.#entities.add(type, tags);
    }
  }
}

/** The known keys of an entity: canonical texts of their values by the texts of the keys. */
export function readKnownKeys(
  { keys }: EntityIdentity,
  object: SubgraphObject | undefined,
  representation: SubgraphObject | undefined,
): Map<string, string> {
  const known = new Map<string, string>();
  for (const { text, representationReader, valueReader } of keys) {
    const inRepresentation =
      representation === undefined ? undefined : readKey(representationReader, representation);
    const inValue =
      object === undefined || valueReader === undefined ? undefined : readKey(valueReader, object);
    const keyText = inRepresentation ?? inValue;
    if (keyText !== undefined) known.set(text, keyText);
  }
  return known;
}

function asObject(value: unknown): SubgraphObject | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as SubgraphObject)
    : undefined;
}
