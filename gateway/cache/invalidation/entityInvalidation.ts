import { getOrInsertComputed } from '../../sharing/getOrInsertComputed.ts';
import type { CacheGraph, GraphType } from '../rules/cacheGraph.ts';
import { createKeyReader, type KeyReader, readKey } from '../tags/keyText.ts';
import { entityTagOf, typeTag, unknownEntityTag } from '../tags/tagNames.ts';

/** The known keys of an entity: canonical texts of their values by the texts of the keys. */
type KnownKeys = ReadonlyMap<string, string>;

/** Computes the tags that invalidate a single entity. Entries may have tagged it by its object type, or by an interface
 *  with keys if the subgraph does not know the object type. */
export class EntityInvalidation {
  readonly #graph: CacheGraph;
  readonly #relatedTypes = new Map<string, readonly RelatedType[]>();

  constructor(graph: CacheGraph) {
    this.#graph = graph;
  }

  /** Reads the keys of a type that these fields contain, including keys of its interfaces and object types. */
  readKeys(typeName: string, fields: Readonly<Record<string, unknown>>): KnownKeys {
    const known = new Map<string, string>();
    for (const { keys } of this.#relatedTypesOf(typeName)) {
      for (const { text, reader } of keys) {
        const keyText = known.get(text) ?? readKey(reader, fields);
        if (keyText !== undefined) known.set(text, keyText);
      }
    }
    return known;
  }

  /** Tags of every entry that contains this entity, or may contain it because none of these keys is known there. */
  tagsOf(typeName: string, known: KnownKeys): string[] {
    return this.#relatedTypesOf(typeName).flatMap(({ type, keys }) => {
      const tags: string[] = [];
      const unknownKeys: string[] = [];
      for (const { text } of keys) {
        const keyText = known.get(text);
        if (keyText === undefined) unknownKeys.push(text);
        else tags.push(entityTagOf(type.name, keyText));
      }
      // An entry may know any subset of the other keys, each of which has its own tag.
      if (unknownKeys.length > maxUnknownKeys) return tagsOfType(type);
      return [...tags, ...subsetsOf(unknownKeys).map((subset) => unknownEntityTag(type.name, subset))];
    });
  }

  #relatedTypesOf(typeName: string): readonly RelatedType[] {
    return getOrInsertComputed(this.#relatedTypes, typeName, () => this.#findRelatedTypes(typeName));
  }

  #findRelatedTypes(typeName: string): RelatedType[] {
    const typesOf = (names: readonly string[]) => names.flatMap((name) => this.#graph.types.get(name) ?? []);
    const given = typesOf([typeName]);
    const objectTypes = given.flatMap((type) => typesOf(type.possibleTypes));
    const supertypes = objectTypes.flatMap((type) => typesOf(type.supertypes));
    return [...new Set([...given, ...objectTypes, ...supertypes])]
      .filter((type) => type.keys.length > 0)
      .map((type) => ({
        type,
        keys: type.keys.map(({ text, fields }) => ({ text, reader: createKeyReader(fields) })),
      }));
  }
}

interface RelatedType {
  readonly type: GraphType;
  readonly keys: readonly { readonly text: string; readonly reader: KeyReader }[];
}

/** Bounds the number of subsets. With more unknown keys, the whole type is invalidated. */
const maxUnknownKeys = 6;

function subsetsOf(keys: readonly string[]): string[][] {
  const subsets: string[][] = [[]];
  for (const key of keys) subsets.push(...subsets.map((subset) => [...subset, key]));
  return subsets;
}

/** Tags of all entries that contain an object of a type, or of one of its object types. */
export function tagsOfType({ name, possibleTypes }: GraphType): string[] {
  return (possibleTypes.length === 0 ? [name] : possibleTypes).map(typeTag);
}
