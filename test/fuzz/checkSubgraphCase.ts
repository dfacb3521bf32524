import { type GraphQLSchema, parse } from 'graphql';
import type { MergedResponse } from '../harness/rawHttp.ts';
import { checkData, type Path } from './checkData.ts';
import type { OmittedFields } from './omittedFields.ts';

/** Codes of faults of a subgraph. */
const codes = new Set(['SUBGRAPH_ERROR', 'SUBGRAPH_UNREACHABLE', 'SUBGRAPH_INVALID_RESPONSE']);

interface ResponseContext {
  readonly schema: GraphQLSchema;
  readonly operation: string;
  /** Fields of failed fragments are missing. */
  readonly isMerged: boolean;
  /** Response names for which a subgraph sent null or a list with null. `_entities` and its aliases stand for all fields
   *  of an entity, and `data` for everything. */
  readonly nullNames: ReadonlySet<string>;
  readonly omittedFields: Readonly<OmittedFields>;
}

/** The reason why a response is wrong, given that subgraphs may respond anything; `undefined` for a valid response. */
export function findSubgraphCaseProblem(
  response: MergedResponse,
  context: ResponseContext,
): string | undefined {
  const { data, errors = [] } = response;
  const unexpectedKeys = Object.keys(response).filter((key) => key !== 'data' && key !== 'errors');
  if (unexpectedKeys.length > 0) return `unexpected ${unexpectedKeys.join()}`;
  if (data === undefined) return 'no data';
  for (const error of errors) {
    const problem = problemOfError(error);
    if (problem !== undefined) return `${problem}: ${JSON.stringify(error)}`;
  }
  const document = parse(context.operation);
  const checked = checkData(context.schema, document, data, context.isMerged && errors.length > 0);
  if (checked.problem !== undefined) return checked.problem;
  const { nullNames, omittedFields } = context;
  if (omittedFields.hasMissingInput) return undefined;
  const paths = errors.map((error) => (error as { path?: Path }).path ?? []);
  if ([...nullNames].some((name) => name.startsWith('_e') || name === 'data')) return undefined;
  const unexplained = checked.nulls.find((path) => {
    const name = path.findLast((part) => typeof part === 'string');
    return !(
      (name !== undefined && (nullNames.has(name) || omittedFields.names.has(name))) ||
      paths.some((errorPath) => isRelated(errorPath, path))
    );
  });
  return unexplained === undefined ? undefined : `a null without a reason at ${unexplained.join('.')}`;
}

function problemOfError(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null) return 'no error';
  const { message, path, extensions } = error as Record<string, unknown>;
  if (typeof message !== 'string' || message === '' || /internal/i.test(message)) return 'no message';
  const code = (extensions as { code?: unknown } | undefined)?.code;
  if (!codes.has(String(code))) return 'a code that does not help';
  const isPath =
    path === undefined ||
    (Array.isArray(path) && path.every((part) => typeof part === 'string' || Number.isSafeInteger(part)));
  return isPath ? undefined : 'no path';
}

function isRelated(left: Path, right: Path): boolean {
  const length = Math.min(left.length, right.length);
  for (let i = 0; i < length; i++) if (left[i] !== right[i]) return false;
  return true;
}
