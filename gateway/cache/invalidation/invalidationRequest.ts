import { isCacheTag } from '../../config/isCacheTag.ts';
import { isNestedDeeperThan } from '../../json/isNestedDeeperThan.ts';
import type { CacheGraph } from '../rules/cacheGraph.ts';
import { customTag, subgraphTag } from '../tags/tagNames.ts';
import { EntityInvalidation, tagsOfType } from './entityInvalidation.ts';
import { findEntityProblems, findSubgraphProblem, findTypeProblem, suggest } from './invalidationProblems.ts';

/** What a request to invalidate asks for. */
type ParsedInvalidationRequest =
  /** Each once. */
  | { readonly kind: 'tags'; readonly tags: readonly string[] }
  /** Everything that is wrong with it, each with its place. */
  | { readonly kind: 'mistakes'; readonly reasons: readonly string[] };

/** Most types, entities, tags and subgraphs together. */
const maxItems = 1_000;

/** Of mistakes that are told; of a long list mostly all are the same. */
const maxReportedProblems = 100;

/** Of lists and objects within an entity's key. */
const maxNestingDepth = 20;

const requestFields = ['types', 'entities', 'tags', 'subgraphs'] as const;
type RequestField = (typeof requestFields)[number];

/** Reads a request to invalidate as it comes from outside, parsed from JSON:
 *  `{ types: ["Product"], entities: [{ "__typename": "Product", "id": "1" }], tags: ["sale"], subgraphs: ["inventory"] }`,
 *  each of which may be left out, but not all. With a mistake anywhere nothing of it holds. */
export function parseInvalidationRequest(body: unknown, graph: CacheGraph): ParsedInvalidationRequest {
  if (!isObject(body)) return invalidRequest([`the request is no JSON object; ${expectedShape}`]);
  const reasons = Object.keys(body)
    .filter((key) => !requestFields.some((part) => part === key))
    .slice(0, maxReportedProblems)
    .map(
      (key) =>
        `${JSON.stringify(key.slice(0, 60))} is not known${suggest(key, requestFields)}; ${expectedShape}`,
    );
  const items: { readonly part: RequestField; readonly at: string; readonly item: unknown }[] = [];
  for (const part of requestFields) {
    const list = Object.hasOwn(body, part) ? body[part] : [];
    if (!Array.isArray(list)) reasons.push(`${part}: expected a list`);
    else if (list.length > maxItems) return tooManyItems(reasons);
    else items.push(...list.map((item, index) => ({ part, at: `${part}[${index}]`, item })));
  }
  if (items.length > maxItems) return tooManyItems(reasons);
  if (items.length === 0 && reasons.length === 0)
    return invalidRequest([`the request names nothing; ${expectedShape}`]);

  const entities = new EntityInvalidation(graph);
  const tags = new Set<string>();
  for (const { part, at, item } of items) {
    const read = itemParsers[part](item, graph, entities);
    for (const tag of read.tags) tags.add(tag);
    reasons.push(...read.problems.map((mistake) => `${at}: ${mistake}`));
  }
  return reasons.length > 0 ? invalidRequest(reasons) : { kind: 'tags', tags: [...tags] };
}

const expectedShape = `expected an object with any of ${requestFields.join(', ')}`;

interface ParsedItem {
  readonly tags: readonly string[];
  readonly problems: readonly string[];
}

type ItemParser = (item: unknown, graph: CacheGraph, entities: EntityInvalidation) => ParsedItem;

const itemParsers: Readonly<Record<RequestField, ItemParser>> = {
  types(item, graph) {
    if (typeof item !== 'string') return invalidItem('expected the name of a type');
    const type = graph.types.get(item);
    return type === undefined
      ? invalidItem(findTypeProblem(item, graph) as string)
      : { tags: tagsOfType(type), problems: [] };
  },
  entities(item, graph, entities) {
    if (!isObject(item) || !Object.hasOwn(item, '__typename') || typeof item.__typename !== 'string') {
      return invalidItem('expected an object with "__typename" and the fields of a key');
    }
    if (isNestedDeeperThan(item, maxNestingDepth))
      return invalidItem(`nested deeper than ${maxNestingDepth} levels`);
    const known = entities.readKeys(item.__typename, item);
    const wrong = findEntityProblems(item.__typename, item, known.size > 0, graph);
    return { tags: wrong.length > 0 ? [] : entities.tagsOf(item.__typename, known), problems: wrong };
  },
  tags(item) {
    if (typeof item !== 'string' || !isCacheTag(item))
      return invalidItem('expected text that is neither blank nor holds a NUL');
    return { tags: [customTag(item)], problems: [] };
  },
  subgraphs(item, graph) {
    if (typeof item !== 'string') return invalidItem('expected the name of a subgraph');
    const mistake = findSubgraphProblem(item, graph);
    return mistake === undefined ? { tags: [subgraphTag(item)], problems: [] } : invalidItem(mistake);
  },
};

function invalidItem(mistake: string): ParsedItem {
  return { tags: [], problems: [mistake] };
}

function tooManyItems(reasons: readonly string[]): ParsedInvalidationRequest {
  return invalidRequest([
    ...reasons,
    `more than ${maxItems} types, entities, tags and subgraphs in one request`,
  ]);
}

function invalidRequest(reasons: readonly string[]): ParsedInvalidationRequest {
  const more = reasons.length - maxReportedProblems;
  return {
    kind: 'mistakes',
    reasons: more > 0 ? [...reasons.slice(0, maxReportedProblems), `and ${more} more`] : reasons,
  };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
