import { type Answer, isJsonObject, type Json, type Path } from './answer.ts';
import { failedPlaces } from './checkPayloads.ts';
import { difference, findDataDifference, findErrorDifference, firstOf } from './compareAnswers.ts';

export interface DeferredComparison {
  /** The answer without `@defer`. */
  readonly expected: Answer;
  /** Its data as it was before any null went up to a parent. */
  readonly unpropagated: () => Promise<Json | undefined>;
  readonly payloads: readonly unknown[];
  readonly merged: Answer;
}

/** The first difference between an operation's answer and its answer without `@defer`, as text. They are equal
 *  but for one thing that the specification wants: a null that must not be ends at the fragment's boundary, so
 *  the fragment is missing where the whole surrounding object would have become null. */
export async function findDeferredDifference(comparison: DeferredComparison): Promise<string | undefined> {
  const { expected, unpropagated, payloads, merged } = comparison;
  const errors = findErrorDifference(
    withErrorsByPlace(expected, expected.data),
    withErrorsByPlace(merged, expected.data),
  );
  if (errors !== undefined) return errors;
  const failed = failedPlaces(payloads);
  if (failed.length === 0) return findDataDifference(expected.data, merged.data, false);
  return findPartDifference(await unpropagated(), merged.data, failed, expected, []);
}

/** Errors at the place that they made null in `data`, each once: which of several fields tells what makes their
 *  object null is not specified, and fragments that overlap may each tell. */
function withErrorsByPlace(answer: Answer, data: Json | undefined): Answer {
  const byText = new Map<string, Answer['errors'][number]>();
  for (const error of answer.errors) {
    const path = upToNull(error.path ?? [], data);
    byText.set(`${path.join('.')} ${error.message}`, { ...error, path });
  }
  return { data: answer.data, errors: [...byText.values()] };
}

function upToNull(path: Path, data: Json | undefined): Path {
  let value: unknown = data;
  for (const [index, part] of path.entries()) {
    if (value === null || value === undefined) return path.slice(0, index);
    value = (value as Record<string | number, unknown>)[part];
  }
  return path;
}

/** `got` may lack the fields of failed fragments, and be null where an error explains it. */
function findPartDifference(
  whole: Json | undefined,
  got: Json | undefined,
  failed: readonly Path[],
  { errors }: Answer,
  path: Path,
): string | undefined {
  return find(whole, got, path);

  function find(wanted: Json | undefined, found: Json | undefined, at: Path): string | undefined {
    if (found === null && errors.some((error) => isWithin(error.path ?? [], at))) return undefined;
    if (Array.isArray(wanted) && Array.isArray(found)) {
      if (wanted.length !== found.length) return difference(at, wanted.length, found.length, 'length');
      return firstOf(wanted, (value, index) => find(value, found[index], [...at, index]));
    }
    if (isJsonObject(wanted) && isJsonObject(found)) {
      const extra = Object.keys(found).filter((key) => !Object.hasOwn(wanted, key));
      if (extra.length > 0) return difference(at, [], extra, 'keys too many');
      const mayLack = failed.some((place) => isWithin(at, place));
      return firstOf(Object.keys(wanted), (key) => {
        if (Object.hasOwn(found, key)) return find(wanted[key], found[key], [...at, key]);
        return mayLack ? undefined : difference([...at, key], wanted[key], undefined, 'missing value');
      });
    }
    return wanted === found ? undefined : difference(at, wanted, found, 'value');
  }
}

function isWithin(path: Path, place: Path): boolean {
  return place.every((part, index) => path[index] === part);
}
