import { isTag } from '../../config/cacheTag.ts';
import { isNestedDeeper } from '../../json/isNestedDeeper.ts';
import type { CacheGraph } from '../rules/cacheGraph.ts';
import { ownTag, subgraphTag } from '../tags/tagNames.ts';
import { EntityInvalidation, tagsOfType } from './entityInvalidation.ts';
import { mistakeInSubgraph, mistakeInType, mistakesInEntity, suggest } from './invalidationMistakes.ts';

/** What a request to invalidate asks for. */
export type ReadInvalidation =
  /** Each once. */
  | { readonly kind: 'tags'; readonly tags: readonly string[] }
  /** Everything that is wrong with it, each with its place. */
  | { readonly kind: 'mistakes'; readonly reasons: readonly string[] };

/** Most types, entities, tags and subgraphs together. */
const mostItems = 1_000;

/** Of mistakes that are told; of a long list mostly all are the same. */
const mostReasons = 100;

/** Of lists and objects within an entity's key. */
const mostLevels = 20;

const parts = ['types', 'entities', 'tags', 'subgraphs'] as const;
type Part = (typeof parts)[number];

/** Reads a request to invalidate as it comes from outside, parsed from JSON:
 *  `{ types: ["Product"], entities: [{ "__typename": "Product", "id": "1" }], tags: ["sale"], subgraphs: ["inventory"] }`,
 *  each of which may be left out, but not all. With a mistake anywhere nothing of it holds. */
export function readInvalidation(body: unknown, graph: CacheGraph): ReadInvalidation {
  if (!isObject(body)) return mistakes([`the request is no JSON object; ${expected}`]);
  const reasons = Object.keys(body)
    .filter((key) => !parts.some((part) => part === key))
    .slice(0, mostReasons)
    .map((key) => `${JSON.stringify(key.slice(0, 60))} is not known${suggest(key, parts)}; ${expected}`);
  const items: { readonly part: Part; readonly at: string; readonly item: unknown }[] = [];
  for (const part of parts) {
    const list = Object.hasOwn(body, part) ? body[part] : [];
    if (!Array.isArray(list)) reasons.push(`${part}: expected a list`);
    else if (list.length > mostItems) return tooMany(reasons);
    else items.push(...list.map((item, index) => ({ part, at: `${part}[${index}]`, item })));
  }
  if (items.length > mostItems) return tooMany(reasons);
  if (items.length === 0 && reasons.length === 0) return mistakes([`the request names nothing; ${expected}`]);

  const entities = new EntityInvalidation(graph);
  const tags = new Set<string>();
  for (const { part, at, item } of items) {
    const read = readers[part](item, graph, entities);
    for (const tag of read.tags) tags.add(tag);
    reasons.push(...read.mistakes.map((mistake) => `${at}: ${mistake}`));
  }
  return reasons.length > 0 ? mistakes(reasons) : { kind: 'tags', tags: [...tags] };
}

const expected = `expected an object with any of ${parts.join(', ')}`;

interface ReadItem {
  readonly tags: readonly string[];
  readonly mistakes: readonly string[];
}

type ReadPart = (item: unknown, graph: CacheGraph, entities: EntityInvalidation) => ReadItem;

const readers: Readonly<Record<Part, ReadPart>> = {
  types(item, graph) {
    if (typeof item !== 'string') return mistaken('expected the name of a type');
    const type = graph.types.get(item);
    return type === undefined
      ? mistaken(mistakeInType(item, graph) as string)
      : { tags: tagsOfType(type), mistakes: [] };
  },
  entities(item, graph, entities) {
    if (!isObject(item) || !Object.hasOwn(item, '__typename') || typeof item.__typename !== 'string') {
      return mistaken('expected an object with "__typename" and the fields of a key');
    }
    if (isNestedDeeper(item, mostLevels)) return mistaken(`nested deeper than ${mostLevels} levels`);
    const known = entities.keysIn(item.__typename, item);
    const wrong = mistakesInEntity(item.__typename, item, known.size > 0, graph);
    return { tags: wrong.length > 0 ? [] : entities.tagsOf(item.__typename, known), mistakes: wrong };
  },
  tags(item) {
    if (typeof item !== 'string' || !isTag(item))
      return mistaken('expected text that is neither blank nor holds a NUL');
    return { tags: [ownTag(item)], mistakes: [] };
  },
  subgraphs(item, graph) {
    if (typeof item !== 'string') return mistaken('expected the name of a subgraph');
    const mistake = mistakeInSubgraph(item, graph);
    return mistake === undefined ? { tags: [subgraphTag(item)], mistakes: [] } : mistaken(mistake);
  },
};

function mistaken(mistake: string): ReadItem {
  return { tags: [], mistakes: [mistake] };
}

function tooMany(reasons: readonly string[]): ReadInvalidation {
  return mistakes([...reasons, `more than ${mostItems} types, entities, tags and subgraphs in one request`]);
}

function mistakes(reasons: readonly string[]): ReadInvalidation {
  const more = reasons.length - mostReasons;
  return {
    kind: 'mistakes',
    reasons: more > 0 ? [...reasons.slice(0, mostReasons), `and ${more} more`] : reasons,
  };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
