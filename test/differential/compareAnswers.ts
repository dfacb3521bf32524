import { type Answer, isJsonObject, type Json, type Path } from './answer.ts';
import { findErrorDifference } from './compareErrors.ts';

/** Two complete responses. */
interface CompleteComparison {
  readonly expected: Answer;
  readonly got: Answer;
  /** The expected response without null propagation: a null never replaces its parent. */
  readonly withoutNullPropagation: () => Promise<Answer>;
}

/** Returns the first difference between two complete responses as text. The order of keys counts. */
export async function findDifference({
  expected,
  got,
  withoutNullPropagation,
}: CompleteComparison): Promise<string | undefined> {
  return (
    (await findErrorDifference({
      expected,
      got: got.errors,
      gotData: got.data,
      withoutNullPropagation,
      mayRepeat: false,
    })) ?? findDataDifference(expected.data, got.data, true)
  );
}

/** The first path at which the values differ. */
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
