import type { GraphQLFormattedError } from 'graphql';
import { GatewayError, messageWithCause, type ResponsePath } from '../errors.ts';
import type { ExecutionError } from '../execution/executionDiagnostics.ts';
import type { Access } from '../operation/authorization/access.ts';
import type { SlicedTask } from '../time/slicedTask.ts';
import { PathIndex } from './pathIndex.ts';
import type { InvalidValue, ShapeError } from './shapeErrors.ts';

export interface ErrorPolicy {
  /** Clients see the messages and extensions of subgraphs (security.exposeSubgraphErrors). */
  readonly exposeSubgraphErrors: boolean;
  /** Clients see which subgraph an error comes from (security.exposeSubgraphs). */
  readonly exposeSubgraphs: boolean;
  /** A response has data that does not fit the supergraph. `problem`: a message without text of a subgraph, except names.
   *  Called for each kind of problem in a response. */
  readonly onInvalidData?: ((subgraph: string, problem: string) => void) | undefined;
}

/** The error of a fetch as the client gets it. */
export function formatExecutionError(
  error: ExecutionError,
  path: ResponsePath,
  policy: ErrorPolicy,
): GraphQLFormattedError {
  const { reason, subgraph } = error;
  const named = policy.exposeSubgraphs ? { subgraph } : {};
  const located = path.length === 0 ? {} : { path };
  if (reason instanceof GatewayError) {
    return {
      message: policy.exposeSubgraphErrors ? withCause(reason) : reason.message,
      ...located,
      extensions: { ...reason.extensions, ...named, code: reason.clientCode },
    };
  }
  if (!policy.exposeSubgraphErrors) {
    return {
      message: 'A subgraph answered with an error.',
      ...located,
      extensions: { ...named, code: 'SUBGRAPH_ERROR' },
    };
  }
  // `extensions.http` is the gateway's own: the status of a subgraph's response. Apollo Server would read it, too.
  const { http: _, ...extensions } = reason.extensions ?? {};
  return {
    message: reason.message,
    ...located,
    extensions: { code: 'SUBGRAPH_ERROR', ...extensions, ...named },
  };
}

/** Which address refused the connection, or what is wrong with a response. Other causes may be details of the gateway. */
export function withCause(error: GatewayError): string {
  return error.code.startsWith('SUBGRAPH_') ? messageWithCause(error) : error.message;
}

/** The errors of missing fields, invalid values and denied parts as the client gets them. A null, or an object of unknown
 *  type, is not reported if another error explains it: an error of a subgraph, or an invalid or denied value at the same
 *  path. `subgraphOf`: the subgraph that returned the value; called for each error that is reported. */
export function* formatShapeErrors(
  errors: readonly ShapeError[],
  explained: PathIndex,
  policy: ErrorPolicy,
  subgraphOf: (error: InvalidValue) => string | undefined,
  denialCode: DenialCode,
): SlicedTask<GraphQLFormattedError[]> {
  const formatted: GraphQLFormattedError[] = [];
  const invalid = new PathIndex();
  for (const { kind, path } of errors) {
    if (kind === 'missing' || kind === 'null' || kind === 'hidden') continue;
    if (invalid.add(path) % errorsPerSlice === 0) yield;
  }
  for (const [index, error] of errors.entries()) {
    if (index % errorsPerSlice === errorsPerSlice - 1) yield;
    const isNull = error.kind === 'null' || error.kind === 'hidden';
    if (isNull && invalid.has(error.path)) continue;
    if ((isNull || error.kind === 'unknown') && explained.isRelated(error.path)) continue;
    formatted.push(format(error));
  }
  return formatted;

  function format(error: ShapeError): GraphQLFormattedError {
    const { kind, path } = error;
    if (kind === 'missing') return formatExecutionError(error.cause, path, policy);
    if (kind === 'denied')
      return { message: denialMessages[denialCode], path, extensions: { code: denialCode } };
    const subgraph = kind === 'hidden' ? undefined : subgraphOf(error);
    // A null that no subgraph returned is a fault of the gateway, or of a schema that hides the value.
    const isFault = kind === 'hidden' || (kind === 'null' && subgraph === undefined);
    const named = subgraph !== undefined && policy.exposeSubgraphs ? { subgraph } : {};
    const code = isFault ? 'INTERNAL_SERVER_ERROR' : 'SUBGRAPH_INVALID_RESPONSE';
    return { message: error.message, path, extensions: { ...named, code } };
  }
}

type DenialCode = Access['code'];

const denialMessages: Readonly<Record<DenialCode, string>> = {
  UNAUTHENTICATED: 'This needs a logged-in client, and the request has no valid token.',
  FORBIDDEN: 'The client may not use this: its token lacks a scope, or a policy denies it.',
};

/** Long lists of errors pause after so many. */
export const errorsPerSlice = 200;
