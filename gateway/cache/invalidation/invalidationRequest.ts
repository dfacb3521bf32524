import { suggestName } from '../../config/findNearestName.ts';
import { isCacheTag } from '../../config/isCacheTag.ts';
import { isNestedDeeperThan } from '../../json/isNestedDeeperThan.ts';
import { isObject } from '../../json/isObject.ts';
import { truncateList } from '../../json/truncate.ts';
import type { CacheGraph } from '../rules/cacheGraph.ts';
import { customTag, subgraphTag } from '../tags/tagNames.ts';
import { EntityInvalidation, tagsOfType } from './entityInvalidation.ts';
import { findEntityProblems, findSubgraphProblem, findTypeProblem } from './invalidationProblems.ts';

/** The tags that a request invalidates, or why it is invalid. */
export type ParsedInvalidationRequest =
  /** Without duplicates. */
  | { readonly kind: 'tags'; readonly tags: readonly string[] }
  /** All problems, each with its location in the request. */
  | { readonly kind: 'invalid'; readonly reasons: readonly string[] };

/** The maximum number of types, entities, tags and subgraphs together. */
const maxItems = 1_000;

/** Further problems of a long list are mostly the same. */
const maxReportedProblems = 100;

/** Levels of lists and objects in an entity's key. */
const maxNestingDepth = 20;

const requestFields = ['types', 'entities', 'tags', 'subgraphs'] as const;
type RequestField = (typeof requestFields)[number];

/** Parses an invalidation request of an operator or an event, such as
 *  `{ types: ["Product"], entities: [{ "__typename": "Product", "id": "1" }], tags: ["sale"], subgraphs: ["inventory"] }`.
 *  It needs at least one of these fields. With any problem, the whole request is invalid. */
export function parseInvalidationRequest(body: unknown, graph: CacheGraph): ParsedInvalidationRequest {
  if (!isObject(body)) return invalidRequest([`the request is not a JSON object; ${expectedShape}`]);
  const reasons = Object.keys(body)
    .filter((key) => !requestFields.some((field) => field === key))
    .slice(0, maxReportedProblems)
    .map((key) => {
      const name = key.slice(0, 60);
      return `${JSON.stringify(name)} is not a known field${suggestName(name, requestFields)}; ${expectedShape}`;
    });
  const items: { readonly field: RequestField; readonly at: string; readonly item: unknown }[] = [];
  for (const field of requestFields) {
    const list = Object.hasOwn(body, field) ? body[field] : [];
    if (!Array.isArray(list)) reasons.push(`${field}: expected a list`);
    else if (list.length > maxItems) return tooManyItems(reasons);
    else items.push(...list.map((item, index) => ({ field, at: `${field}[${index}]`, item })));
  }
  if (items.length > maxItems) return tooManyItems(reasons);
  if (items.length === 0 && reasons.length === 0)
    return invalidRequest([`the request is empty; ${expectedShape}`]);

  const entities = new EntityInvalidation(graph);
  const tags = new Set<string>();
  for (const { field, at, item } of items) {
    const parsed = itemParsers[field](item, graph, entities);
    for (const tag of parsed.tags) tags.add(tag);
    reasons.push(...parsed.problems.map((problem) => `${at}: ${problem}`));
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
    const problems = findEntityProblems(item.__typename, item, known.size > 0, graph);
    return { tags: entities.tagsOf(item.__typename, known), problems };
  },
  tags(item) {
    if (typeof item !== 'string' || !isCacheTag(item))
      return invalidItem('expected a string that is not blank and contains no NUL');
    return { tags: [customTag(item)], problems: [] };
  },
  subgraphs(item, graph) {
    if (typeof item !== 'string') return invalidItem('expected the name of a subgraph');
    const problem = findSubgraphProblem(item, graph);
    return problem === undefined ? { tags: [subgraphTag(item)], problems: [] } : invalidItem(problem);
  },
};

function invalidItem(problem: string): ParsedItem {
  return { tags: [], problems: [problem] };
}

function tooManyItems(reasons: readonly string[]): ParsedInvalidationRequest {
  return invalidRequest([
    ...reasons,
    `the request has more than ${maxItems} types, entities, tags and subgraphs`,
  ]);
}

function invalidRequest(reasons: readonly string[]): ParsedInvalidationRequest {
  return { kind: 'invalid', reasons: truncateList(reasons, maxReportedProblems) };
}
