import { Kind, type OperationTypeNode } from 'graphql';
import type { SlicedTask } from '../../time/slicedTask.ts';
import type { CacheGraph } from '../rules/cacheGraph.ts';
import type { OperationShape } from '../rules/operationShape.ts';
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

/** Says what the values of one fetch shape can be invalidated by, apart from subgraph and rule: the object types of
 *  all that they hold, and the entities. Values are as the subgraph sent them, before output rewrites. */
export interface ValueTagger {
  /** Of the answer for one representation; its key counts even if the value is null. */
  tagEntity(representation: SubgraphObject, value: unknown): SlicedTask<readonly string[]>;
  /** Of a root fetch's data, or of a part of it. */
  tagRoot(data: unknown): SlicedTask<readonly string[]>;
  /** Of one root field. */
  tagRootField(responseName: string, value: unknown): SlicedTask<readonly string[]>;
}

/** Most tags of entities that one entry has. */
const maxEntityTags = 100;

/** To be made once for each shape and supergraph. */
export function createValueTagger(shape: OperationShape, graph: CacheGraph): ValueTagger {
  const { document, isEntityFetch, kind, subgraph } = shape;
  const rootType = graph.types.get(graph.roots.get(kind as OperationTypeNode) ?? '');
  const sets = isEntityFetch
    ? document.selectionSet.selections.flatMap((selection) =>
        selection.kind === Kind.FIELD ? (selection.selectionSet ?? []) : [],
      )
    : [document.selectionSet];
  const objects = new SelectedObjects(sets, [], graph, subgraph);

  function* ofRoot(data: unknown): SlicedTask<readonly string[]> {
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
      const answered = object === undefined ? undefined : objects.typeOf(object);
      // An entity that was asked for by its interface may say what it is.
      const type = answered?.isAbstract === false ? answered : graph.types.get(name);
      if (type === undefined) return [typeTag(name)];
      const tags = new EntryTags();
      yield* tags.addObject(objects.planForType(type), object, representation);
      return tags.toList();
    },
    tagRoot: ofRoot,
    tagRootField: (responseName, value) => ofRoot({ [responseName]: value }),
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
    yield* visitNestedObjects(plan, object, (inner, below) => this.#add(inner, below, undefined));
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
      // An object type that is known by all its keys is told apart by whichever is given. An interface may be
      // invalidated by a key of one of its object types, which it does not have.
      if (type.isAbstract || known.size < type.keys.length)
        tags.push(unknownEntityTag(type.name, [...known.keys()]));
      this.#entities.add(type, tags);
    }
  }
}

/** Canonical texts of the keys that are known of an entity, by the keys' texts. */
export function readKnownKeys(
  { keys }: EntityIdentity,
  object: SubgraphObject | undefined,
  representation: SubgraphObject | undefined,
): Map<string, string> {
  const known = new Map<string, string>();
  for (const { text, representationReader, answerReader } of keys) {
    const asked = representation === undefined ? undefined : readKey(representationReader, representation);
    const answered =
      object === undefined || answerReader === undefined ? undefined : readKey(answerReader, object);
    const keyText = asked ?? answered;
    if (keyText !== undefined) known.set(text, keyText);
  }
  return known;
}

function asObject(value: unknown): SubgraphObject | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as SubgraphObject)
    : undefined;
}
