import { type Answer, isJsonObject, type Json, type Path } from './answer.ts';
import { difference, firstOf } from './compareAnswers.ts';

interface LossComparison {
  /** The response without any failure. */
  readonly expected: Answer;
  /** The part of the response that cannot be lost; `undefined` where that is not known. */
  readonly guaranteed: Json | undefined;
  readonly got: Answer;
}

/** Returns the first difference that the subgraph's failure does not explain, as text. Lost fields must be null, each
 *  null must have an error at its path, above or below it, and all other fields must be unchanged. */
export function findLossDifference({ expected, guaranteed, got }: LossComparison): string | undefined {
  const paths = got.errors.map(({ path }) => path ?? []);
  return find(expected.data, guaranteed, got.data, []);

  function find(
    wanted: Json | undefined,
    sure: Json | undefined,
    found: Json | undefined,
    path: Path,
  ): string | undefined {
    if (found === null && wanted !== null) {
      if (!paths.some((error) => isPrefixOfEither(error, path)))
        return difference(path, wanted, null, 'a null without an error');
      const isBelow = paths.some((error) => error.length > path.length && isPrefixOfEither(error, path));
      return hasValue(sure) && !isBelow
        ? difference(path, sure, null, 'a value of another subgraph')
        : undefined;
    }
    if (Array.isArray(wanted) && Array.isArray(found)) {
      if (wanted.length !== found.length) return difference(path, wanted.length, found.length, 'length');
      const items = Array.isArray(sure) ? sure : [];
      return firstOf(wanted, (value, index) => find(value, items[index], found[index], [...path, index]));
    }
    if (isJsonObject(wanted) && isJsonObject(found)) {
      const keys = Object.keys(wanted);
      if (JSON.stringify(keys) !== JSON.stringify(Object.keys(found))) {
        return difference(path, keys, Object.keys(found), 'keys');
      }
      return firstOf(keys, (key) =>
        find(wanted[key], isJsonObject(sure) ? sure[key] : undefined, found[key], [...path, key]),
      );
    }
    return wanted === found ? undefined : difference(path, wanted, found, 'value');
  }
}

/** Whether the value contains anything other than null: an object with only nulls may be lost. */
function hasValue(value: Json | undefined): boolean {
  if (value === null || value === undefined) return false;
  return typeof value === 'object' ? Object.values(value).some(hasValue) : true;
}

function isPrefixOfEither(one: Path, other: Path): boolean {
  const length = Math.min(one.length, other.length);
  return one.slice(0, length).every((part, index) => part === other[index]);
}
