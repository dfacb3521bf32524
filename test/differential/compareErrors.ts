import type { GraphQLFormattedError } from 'graphql';
import type { Answer, Json, Path } from './answer.ts';

interface ErrorComparison {
  readonly expected: Answer;
  readonly got: readonly GraphQLFormattedError[];
  /** The data of the response with these errors. */
  readonly gotData: Json | undefined;
  /** The expected response without null propagation. */
  readonly withoutNullPropagation: () => Promise<Answer>;
  /** Whether an error may be reported at several paths: overlapping fragments each report it. */
  readonly mayRepeat: boolean;
}

/** Returns the first difference that the specification does not allow, as text. A field that failed where null is
 *  allowed has exactly one error, as in the monolith. Where a null propagated to a parent, the specification leaves
 *  open which of the fields below reports it, but a field that is null itself must. A gateway may report others as
 *  missing, because a subgraph's response lost them with their object. */
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
  const reported = new Set<string>();
  for (const error of got) {
    const line = errorLine(error);
    if (reported.has(line) && !mayRepeat && expected.toleratedMessages?.has(error.message) !== true)
      return `repeated ${line}`;
    reported.add(line);
  }
  const exact = new Set<string>();
  const nulled = new Set<string>();
  for (const error of expected.errors) {
    const path = error.path ?? [];
    const nullPath = truncateAtNull(path, expected.data);
    if (nullPath.length === path.length) exact.add(errorLine(error));
    else nulled.add(JSON.stringify(nullPath));
  }
  for (const line of exact) if (!reported.has(line)) return `missing ${line}`;

  const explained = new Set<string>();
  let whole: Answer | undefined;
  for (const error of got) {
    if (exact.has(errorLine(error))) continue;
    const path = error.path ?? [];
    const nullPath = JSON.stringify(truncateAtNull(path, expected.data));
    whole ??= await withoutNullPropagation();
    const isHidden =
      whole.toleratedMessages?.has(error.message) === true ||
      expected.toleratedMessages?.has(error.message) === true;
    if (!nulled.has(nullPath) && !isHidden) return `unexpected ${errorLine(error)}`;
    const isViolation = error.message.startsWith(violation);
    // With `@defer`, the field that failed may be in a payload that is never sent, because the object around it is null.
    if (isHidden || leadsToNull(path, whole.data) || (isViolation && mayRepeat)) explained.add(nullPath);
    else if (!isViolation) return `no null at ${errorLine(error)}`;
  }
  for (const nullPath of nulled) {
    // A fragment that failed may have left the value of an earlier payload at this path.
    const isNull = leadsToNull(JSON.parse(nullPath), gotData);
    if (isNull && !explained.has(nullPath)) return `no error explains the null at ${nullPath}`;
  }
  return undefined;
}

/** The text by which errors are compared: path, message, and the code unless it is generic. */
export function errorLine({ message, path, extensions }: GraphQLFormattedError): string {
  const code = genericCodes.has(extensions?.code) ? '' : ` (${extensions?.code})`;
  return `${path?.join('.')}: ${message}${code}`;
}

/** No code, and the codes that the gateway gives to errors without one. */
const genericCodes: ReadonlySet<unknown> = new Set([
  undefined,
  'SUBGRAPH_ERROR',
  'SUBGRAPH_INVALID_RESPONSE',
  'INTERNAL_SERVER_ERROR',
]);

/** The part of the path that ends at a null; the whole path if it meets none. */
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
