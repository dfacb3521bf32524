import type { GraphQLFormattedError } from 'graphql';
import { GatewayError, type ResponsePath } from '../errors.ts';
import type { ExecutionError } from '../execution/execution.ts';
import type { ShapeError } from './shape.ts';

export interface ErrorPolicy {
  /** Clients may see the subgraphs' own messages and extensions. */
  readonly exposeSubgraphErrors: boolean;
  /** Clients may see which subgraph an error comes from. */
  readonly exposeSubgraphs: boolean;
}

/** What the client learns of a fetch's error. */
export function formatExecutionError(
  error: ExecutionError,
  path: ResponsePath,
  policy: ErrorPolicy,
): GraphQLFormattedError {
  const { reason, subgraph } = error;
  const named = policy.exposeSubgraphs ? { subgraph } : {};
  const place = path.length === 0 ? {} : { path };
  if (reason instanceof GatewayError) {
    return {
      message: reason.message,
      ...place,
      extensions: { ...reason.extensions, ...named, code: reason.code },
    };
  }
  if (!policy.exposeSubgraphErrors) {
    return {
      message: 'A subgraph answered with an error.',
      ...place,
      extensions: { ...named, code: 'SUBGRAPH_ERROR' },
    };
  }
  return {
    message: reason.message,
    ...place,
    extensions: { code: 'SUBGRAPH_ERROR', ...reason.extensions, ...named },
  };
}

/** What the client learns of values that the schema forbids. A null that is explained, by an error of a subgraph
 *  or by the wrong kind of value in its place, is not told again. */
export function formatShapeErrors(
  errors: readonly ShapeError[],
  explained: readonly GraphQLFormattedError[],
): GraphQLFormattedError[] {
  return errors
    .filter(
      (error) =>
        error.kind === 'invalid' ||
        !(
          explained.some((other) => isRelated(other.path ?? [], error.path)) ||
          errors.some((other) => other.kind === 'invalid' && isSame(other.path, error.path))
        ),
    )
    .map((error) => ({
      message: error.message,
      path: error.path,
      extensions: { code: error.kind === 'invalid' ? 'SUBGRAPH_INVALID_RESPONSE' : 'INTERNAL_SERVER_ERROR' },
    }));
}

function isSame(one: ResponsePath, other: ResponsePath): boolean {
  return one.length === other.length && isRelated(one, other);
}

/** One of the two paths leads through the other's place. */
function isRelated(one: ResponsePath, other: ResponsePath): boolean {
  const length = Math.min(one.length, other.length);
  for (let i = 0; i < length; i++) if (one[i] !== other[i]) return false;
  return true;
}
