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

/** What the client learns of fields that are missing and of values that the schema forbids. A null that is
 *  explained, by an error of a subgraph or by the wrong kind of value in its place, is not told again. */
export function formatShapeErrors(
  errors: readonly ShapeError[],
  explained: readonly GraphQLFormattedError[],
  policy: ErrorPolicy,
): GraphQLFormattedError[] {
  return errors.filter((error) => error.kind !== 'null' || !isExplained(error.path)).map(format);

  function isExplained(path: ResponsePath): boolean {
    return (
      explained.some((other) => isRelated(other.path ?? [], path)) ||
      errors.some((other) => other.kind === 'invalid' && isSame(other.path, path))
    );
  }

  function format(error: ShapeError): GraphQLFormattedError {
    const { kind, path } = error;
    if (kind === 'missing') return formatExecutionError(error.cause, path, policy);
    const code = kind === 'invalid' ? 'SUBGRAPH_INVALID_RESPONSE' : 'INTERNAL_SERVER_ERROR';
    return { message: error.message, path, extensions: { code } };
  }
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
