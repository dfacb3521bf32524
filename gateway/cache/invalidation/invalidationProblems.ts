import { suggestName } from '../../config/findNearestName.ts';
import type { CacheGraph } from '../rules/cacheGraph.ts';

/** The problem with the name of a type; `undefined` if the type exists. */
export function findTypeProblem(name: string, graph: CacheGraph): string | undefined {
  if (graph.types.has(name)) return undefined;
  return `there is no object type, interface or union ${quoteUnlessName(name)}${suggestName(shorten(name), [...graph.types.keys()])}`;
}

export function findSubgraphProblem(name: string, graph: CacheGraph): string | undefined {
  if (graph.subgraphs.has(name)) return undefined;
  return `there is no subgraph ${JSON.stringify(shorten(name))}${suggestName(shorten(name), [...graph.subgraphs])}`;
}

/** The problems of an entity that is given by these fields. `isKnown`: they contain one of its keys. */
export function findEntityProblems(
  typeName: string,
  fields: Readonly<Record<string, unknown>>,
  isKnown: boolean,
  graph: CacheGraph,
): string[] {
  const type = graph.types.get(typeName);
  if (type === undefined) return [findTypeProblem(typeName, graph) as string];
  if (type.keys.length === 0) return [`${typeName} has no keys; invalidate its type instead`];
  const names = Object.keys(fields).filter((name) => name !== '__typename');
  const objectTypes = type.possibleTypes.flatMap((name) => graph.types.get(name) ?? []);
  const fieldNames = [...new Set([type, ...objectTypes].flatMap(({ fields: own }) => [...own.keys()]))];
  const unknown = names.filter((name) => !fieldNames.includes(name));
  const problems = unknown.map(
    (name) => `${typeName} has no field ${quoteUnlessName(name)}${suggestName(shorten(name), fieldNames)}`,
  );
  if (!isKnown && problems.length === 0) {
    const given = names.length === 0 ? '' : ` ${names.join(' ')}`;
    const keys = type.keys.map(({ text }) => text).join(', ');
    problems.push(`${typeName} has no key {${given} }. Its keys: ${keys}`);
  }
  return problems;
}

function quoteUnlessName(name: string): string {
  return /^\w{1,100}$/.test(name) ? name : JSON.stringify(shorten(name));
}

function shorten(text: string): string {
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
