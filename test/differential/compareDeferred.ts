import { type Answer, isJsonObject, type Json, type Path } from './answer.ts';
import { failedPaths } from './checkPayloads.ts';
import { difference, findDataDifference, firstOf } from './compareAnswers.ts';
import { findErrorDifference } from './compareErrors.ts';

interface DeferredComparison {
  /** The response without `@defer`. */
  readonly expected: Answer;
  /** Its data without null propagation. */
  readonly withoutNullPropagation: () => Promise<Answer>;
  readonly payloads: readonly unknown[];
  readonly merged: Answer;
}

/** Returns the first difference between the responses with and without `@defer`, as text. One difference is
 *  specified: a forbidden null propagates only to the fragment's boundary, so only the fragment is missing where
 *  without `@defer` the whole surrounding object would be null. */
export async function findDeferredDifference(comparison: DeferredComparison): Promise<string | undefined> {
  const { expected, withoutNullPropagation, payloads, merged } = comparison;
  const errors = await findErrorDifference({
    expected,
    got: merged.errors,
    gotData: merged.data,
    withoutNullPropagation,
    mayRepeat: true,
  });
  if (errors !== undefined) return errors;
  const failed = failedPaths(payloads);
  if (failed.length === 0) return findDataDifference(expected.data, merged.data, false);
  const causes = [...expected.errors, ...merged.errors];
  return findPartialDifference((await withoutNullPropagation()).data, merged.data, failed, causes, []);
}

/** `got` may lack the fields of failed fragments, and may be null where an error explains it. */
function findPartialDifference(
  whole: Json | undefined,
  got: Json | undefined,
  failed: readonly Path[],
  errors: Answer['errors'],
  path: Path,
): string | undefined {
  return find(whole, got, path);

  function find(wanted: Json | undefined, found: Json | undefined, at: Path): string | undefined {
    if (found === null && errors.some((error) => isBelow(error.path ?? [], at))) return undefined;
    if (Array.isArray(wanted) && Array.isArray(found)) {
      if (wanted.length !== found.length) return difference(at, wanted.length, found.length, 'length');
      return firstOf(wanted, (value, index) => find(value, found[index], [...at, index]));
    }
    if (isJsonObject(wanted) && isJsonObject(found)) {
      const extra = Object.keys(found).filter((key) => !Object.hasOwn(wanted, key));
      if (extra.length > 0) return difference(at, [], extra, 'keys too many');
      const mayLack = failed.some((fragmentPath) => isBelow(at, fragmentPath));
      return firstOf(Object.keys(wanted), (key) => {
        if (Object.hasOwn(found, key)) return find(wanted[key], found[key], [...at, key]);
        return mayLack ? undefined : difference([...at, key], wanted[key], undefined, 'missing value');
      });
    }
    return wanted === found ? undefined : difference(at, wanted, found, 'value');
  }
}

function isBelow(path: Path, fragmentPath: Path): boolean {
  return fragmentPath.every((part, index) => path[index] === part);
}
