import type { GraphQLFormattedError } from 'graphql';
import { type Answer, isJsonObject, type Json, type Path } from './answer.ts';

/** The first difference between two whole answers, as text; the order of keys counts. */
export function findDifference(expected: Answer, got: Answer): string | undefined {
  return findErrorDifference(expected, got) ?? findDataDifference(expected.data, got.data, true);
}

/** Errors by path; message and code as the monolith has them. */
export function findErrorDifference(expected: Answer, got: Answer): string | undefined {
  const [wanted, found] = [expected, got].map(({ errors }) => errors.map(errorLine).sort());
  return JSON.stringify(wanted) === JSON.stringify(found)
    ? undefined
    : `errors\n    expected ${wanted?.join('\n             ') || 'none'}\n    got      ${found?.join('\n             ') || 'none'}`;
}

function errorLine({ message, path, extensions }: GraphQLFormattedError): string {
  const code = ownCodes.has(extensions?.code) ? '' : ` (${extensions?.code})`;
  return `${path?.join('.')}: ${message}${code}`;
}

/** None, and what the gateway gives to errors without one. */
const ownCodes: ReadonlySet<unknown> = new Set([undefined, 'SUBGRAPH_ERROR', 'INTERNAL_SERVER_ERROR']);

/** The first place where values differ. */
export function findDataDifference(
  expected: Json | undefined,
  got: Json | undefined,
  isOrderRelevant: boolean,
  path: Path = [],
): string | undefined {
  if (Array.isArray(expected) && Array.isArray(got)) {
    if (expected.length !== got.length) return difference(path, expected.length, got.length, 'length');
    return firstOf(expected, (value, index) =>
      findDataDifference(value, got[index], isOrderRelevant, [...path, index]),
    );
  }
  if (isJsonObject(expected) && isJsonObject(got)) {
    const [wanted, found] = [Object.keys(expected), Object.keys(got)];
    if (!isOrderRelevant) {
      wanted.sort();
      found.sort();
    }
    if (JSON.stringify(wanted) !== JSON.stringify(found)) return difference(path, wanted, found, 'keys');
    return firstOf(wanted, (key) =>
      findDataDifference(expected[key], got[key], isOrderRelevant, [...path, key]),
    );
  }
  return expected === got ? undefined : difference(path, expected, got, 'value');
}

export function firstOf<T>(
  items: readonly T[],
  find: (item: T, index: number) => string | undefined,
): string | undefined {
  for (const [index, item] of items.entries()) {
    const found = find(item, index);
    if (found !== undefined) return found;
  }
  return undefined;
}

export function difference(path: Path, expected: unknown, got: unknown, what: string): string {
  return `${what} at ${path.join('.') || 'the root'}\n    expected ${JSON.stringify(expected)}\n    got      ${JSON.stringify(got)}`;
}
