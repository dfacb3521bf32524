import { isDeepStrictEqual } from 'node:util';

export type Path = readonly (string | number)[];

interface ResponseError {
  readonly path?: Path;
  readonly extensions?: { readonly code?: string };
}

export interface ResponseBody {
  readonly data?: unknown;
  readonly errors?: readonly ResponseError[];
  readonly extensions?: {
    readonly tributary?: {
      readonly enrichment?: { readonly token?: string; readonly pending: readonly { readonly path: Path }[] };
    };
  };
}

/** The codes of docs/errors.md that a failing subgraph, a busy machine or a lost Redis may cause. */
const allowedCodes = new Set([
  'SUBGRAPH_TIMEOUT',
  'SUBGRAPH_UNREACHABLE',
  'SUBGRAPH_ERROR',
  'SUBGRAPH_INVALID_RESPONSE',
  'CIRCUIT_OPEN',
  'DEADLINE_EXCEEDED',
  'OVERLOADED',
  'ENRICHMENT_EXPIRED',
  'EVENTS_MISSED',
]);

/** Describes what is wrong with a response: a value that differs from the expected one, a null that neither an error nor
 *  a pending enrichment explains, or an error without an allowed code. `at`: the path of `expected` and `data` in the
 *  response. */
export function findProblem(expected: unknown, body: ResponseBody, at: Path = []): string | undefined {
  const { data = null, errors = [], extensions } = body;
  const unknown = errors.find((error) => !allowedCodes.has(error.extensions?.code ?? ''));
  if (unknown !== undefined) return `an error without an allowed code: ${JSON.stringify(unknown)}`;
  const explained = [
    ...errors.map(({ path = [] }) => path),
    ...(extensions?.tributary?.enrichment?.pending ?? []).map(({ path }) => path),
  ];
  return compare(expected, data, at, explained);
}

function compare(
  expected: unknown,
  actual: unknown,
  path: Path,
  explained: readonly Path[],
): string | undefined {
  if (actual === null && expected !== null) {
    // An error may be reported at the fetched object above the null, or at the field below that made it null.
    if (explained.some((one) => startsWith(one, path) || startsWith(path, one))) return undefined;
    return `${path.join('.')}: null without an error`;
  }
  if (!isContainer(expected) || !isContainer(actual)) {
    if (isDeepStrictEqual(expected, actual)) return undefined;
    return `${path.join('.')}: ${JSON.stringify(actual)} instead of ${JSON.stringify(expected)}`;
  }
  const keys = Object.keys(expected);
  if (!isDeepStrictEqual(keys.toSorted(), Object.keys(actual).toSorted())) {
    return `${path.join('.')}: ${Object.keys(actual).join()} instead of ${keys.join()}`;
  }
  for (const key of keys) {
    const place = [...path, Array.isArray(expected) ? Number(key) : key];
    const problem = compare(expected[key], actual[key], place, explained);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function isContainer(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

function startsWith(path: Path, start: Path): boolean {
  return start.every((part, index) => path[index] === part);
}

/** The value at a path, or undefined. */
export function valueAt(data: unknown, path: Path): unknown {
  return path.reduce<unknown>((value, key) => (isContainer(value) ? value[key] : undefined), data);
}
