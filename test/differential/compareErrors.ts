import type { GraphQLFormattedError } from 'graphql';
import type { Answer, Json, Path } from './answer.ts';

interface ErrorComparison {
  readonly expected: Answer;
  readonly got: readonly GraphQLFormattedError[];
  /** The data that came with them. */
  readonly gotData: Json | undefined;
  /** The expected answer as it was before any null went up to a parent. */
  readonly withoutNullPropagation: () => Promise<Answer>;
  /** Whether one error may be told at several places of the answer: fragments that overlap each tell. */
  readonly mayRepeat: boolean;
}

/** The first difference that the specification does not allow, as text. A field that failed where null may stand
 *  is told once, as the monolith tells it. Where a null went up to a parent, it is left open which of the fields
 *  below tells: one that is null itself has to. A gateway may tell of others that they are missing: a
 *  subgraph's answer lost them with the object that they belong to. */
export async function findErrorDifference(comparison: ErrorComparison): Promise<string | undefined> {
  const { expected, got, mayRepeat } = comparison;
  const wanted = expected.errors.map(errorLine).sort();
  const found = got.map(errorLine).sort();
  if (JSON.stringify(wanted) === JSON.stringify(found)) return undefined;
  const problem = await findProblem(comparison, mayRepeat);
  return (
    problem &&
    `errors: ${problem}\n    expected ${wanted.join('\n             ') || 'none'}\n    got      ${found.join('\n             ') || 'none'}`
  );
}

const violation = 'Cannot return null for non-nullable field';

async function findProblem(
  { expected, got, gotData, withoutNullPropagation }: ErrorComparison,
  mayRepeat: boolean,
): Promise<string | undefined> {
  const told = new Set<string>();
  for (const error of got) {
    const line = errorLine(error);
    if (told.has(line) && !mayRepeat && expected.toleratedMessages?.has(error.message) !== true)
      return `twice ${line}`;
    told.add(line);
  }
  const exact = new Set<string>();
  const nulled = new Set<string>();
  for (const error of expected.errors) {
    const path = error.path ?? [];
    const place = truncateAtNull(path, expected.data);
    if (place.length === path.length) exact.add(errorLine(error));
    else nulled.add(JSON.stringify(place));
  }
  for (const line of exact) if (!told.has(line)) return `missing ${line}`;

  const explained = new Set<string>();
  let whole: Answer | undefined;
  for (const error of got) {
    if (exact.has(errorLine(error))) continue;
    const path = error.path ?? [];
    const place = JSON.stringify(truncateAtNull(path, expected.data));
    whole ??= await withoutNullPropagation();
    const isHidden =
      whole.toleratedMessages?.has(error.message) === true ||
      expected.toleratedMessages?.has(error.message) === true;
    if (!nulled.has(place) && !isHidden) return `too many: ${errorLine(error)}`;
    if (isHidden || leadsToNull(path, whole.data)) explained.add(place);
    else if (!error.message.startsWith(violation)) return `no null at ${errorLine(error)}`;
  }
  for (const place of nulled) {
    // A fragment that failed may have left the place as an earlier payload sent it.
    const isNull = leadsToNull(JSON.parse(place), gotData);
    if (isNull && !explained.has(place)) return `nothing explains the null at ${place}`;
  }
  return undefined;
}

/** To compare errors by: the path, the message, and the code if it says something. */
export function errorLine({ message, path, extensions }: GraphQLFormattedError): string {
  const code = genericCodes.has(extensions?.code) ? '' : ` (${extensions?.code})`;
  return `${path?.join('.')}: ${message}${code}`;
}

/** None, and what the gateway gives to errors without one. */
const genericCodes: ReadonlySet<unknown> = new Set([undefined, 'SUBGRAPH_ERROR', 'INTERNAL_SERVER_ERROR']);

/** The place where following the path ends at a null; the whole path where it does not. */
function truncateAtNull(path: Path, data: Json | undefined): Path {
  let value: unknown = data;
  for (const [index, part] of path.entries()) {
    if (value === null || value === undefined) return path.slice(0, index);
    value = (value as Record<string | number, unknown>)[part];
  }
  return path;
}

function leadsToNull(path: Path, data: Json | undefined): boolean {
  let value: unknown = data;
  for (const part of path) {
    if (value === null || value === undefined) return true;
    value = (value as Record<string | number, unknown>)[part];
  }
  return value === null || value === undefined;
}
