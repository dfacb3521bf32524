import { findNearestName } from '../../config/findNearestName.ts';
import type { CacheGraph } from '../rules/cacheGraph.ts';

/** What is wrong with the name of a type; `undefined` for nothing. */
export function findTypeProblem(name: string, graph: CacheGraph): string | undefined {
  if (graph.types.has(name)) return undefined;
  return `there is no object type, interface or union ${quoteUnlessName(name)}${suggest(name, [...graph.types.keys()])}`;
}

export function findSubgraphProblem(name: string, graph: CacheGraph): string | undefined {
  if (graph.subgraphs.has(name)) return undefined;
  return `there is no subgraph ${JSON.stringify(shorten(name))}${suggest(name, [...graph.subgraphs])}`;
}

/** What is wrong with an entity of which these fields are given, `known` of its keys among them. */
export function findEntityProblems(
  typeName: string,
  fields: Readonly<Record<string, unknown>>,
  isKnown: boolean,
  graph: CacheGraph,
): string[] {
  const type = graph.types.get(typeName);
  if (type === undefined) return [findTypeProblem(typeName, graph) as string];
  if (type.keys.length === 0) return [`${typeName} has no keys; invalidate it by its type`];
  const names = Object.keys(fields).filter((name) => name !== '__typename');
  const objectTypes = type.possibleTypes.flatMap((name) => graph.types.get(name) ?? []);
  const fieldNames = [...new Set([type, ...objectTypes].flatMap((one) => [...one.fields.keys()]))];
  const unknown = names.filter((name) => !fieldNames.includes(name));
  const mistakes = unknown.map(
    (name) => `${typeName} has no field ${quoteUnlessName(name)}${suggest(name, fieldNames)}`,
  );
  if (!isKnown && mistakes.length === 0) {
    const given = names.length === 0 ? '' : ` ${names.join(' ')}`;
    const keys = type.keys.map(({ text }) => text).join(', ');
    mistakes.push(`${typeName} has no key {${given} }. Its keys: ${keys}`);
  }
  return mistakes;
}

/** ` (did you mean Product?)`, or nothing. */
export function suggest(name: string, candidates: readonly string[]): string {
  const nearest = findNearestName(shorten(name), candidates);
  return nearest === undefined ? '' : ` (did you mean ${nearest}?)`;
}

function quoteUnlessName(name: string): string {
  return /^\w{1,100}$/.test(name) ? name : JSON.stringify(shorten(name));
}

function shorten(text: string): string {
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
