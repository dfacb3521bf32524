import type { CacheGraph, GraphType } from '../rules/cacheGraph.ts';
import { createKeyReader, type KeyReader, readKey } from '../tags/keyText.ts';
import { entityTagOf, typeTag, unknownEntityTag } from '../tags/tagNames.ts';

/** Canonical texts of an entity's keys, by the keys' texts. */
type KnownKeys = ReadonlyMap<string, string>;

/** Invalidates single entities. An entity has its tags by the names that entries may know it by: that of its object
 *  type, and those of interfaces with keys, since some subgraphs know no more of it. */
export class EntityInvalidation {
  readonly #graph: CacheGraph;
  readonly #relatedTypes = new Map<string, readonly RelatedType[]>();

  constructor(graph: CacheGraph) {
    this.#graph = graph;
  }

  /** The keys of a type that these fields cover, by the names that they have in the graph; those of its interfaces
   *  and object types included. */
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

  /** Tags of every entry that holds this entity, or may hold it since it knows none of these keys. */
  tagsOf(typeName: string, known: KnownKeys): string[] {
    return this.#relatedTypesOf(typeName).flatMap(({ type, keys }) => {
      const tags: string[] = [];
      const others: string[] = [];
      for (const { text } of keys) {
        const keyText = known.get(text);
        if (keyText === undefined) others.push(text);
        else tags.push(entityTagOf(type.name, keyText));
      }
      // As many sets of keys as may be known where none of the given ones is.
      if (others.length > maxUnknownKeys) return tagsOfType(type);
      return [...tags, ...subsetsOf(others).map((subset) => unknownEntityTag(type.name, subset))];
    });
  }

  #relatedTypesOf(typeName: string): readonly RelatedType[] {
    let family = this.#relatedTypes.get(typeName);
    if (family === undefined) {
      family = this.#findRelatedTypes(typeName);
      this.#relatedTypes.set(typeName, family);
    }
    return family;
  }

  #findRelatedTypes(typeName: string): RelatedType[] {
    const typesOf = (names: readonly string[]) => names.flatMap((name) => this.#graph.types.get(name) ?? []);
    const given = typesOf([typeName]);
    const objectTypes = given.flatMap((type) => typesOf(type.possibleTypes));
    const above = objectTypes.flatMap((type) => typesOf(type.supertypes));
    return [...new Set([...given, ...objectTypes, ...above])]
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

/** Beyond, the whole type is invalidated. */
const maxUnknownKeys = 6;

function subsetsOf(keys: readonly string[]): string[][] {
  const subsets: string[][] = [[]];
  for (const key of keys) subsets.push(...subsets.map((subset) => [...subset, key]));
  return subsets;
}

/** Tags of everything that holds an object of a type, or of one of its object types. */
export function tagsOfType({ name, possibleTypes }: GraphType): string[] {
  return (possibleTypes.length === 0 ? [name] : possibleTypes).map(typeTag);
}
