import { type ErrorCode, GatewayError } from '../../errors.ts';
import type { ExecutionError } from '../../execution/executionDiagnostics.ts';
import type { SubgraphErrorEntry } from '../../subgraphs/subgraphClient.ts';

/** An error of an execution as plain JSON. What only the log sees of it is left out. */
export interface SerializedError extends Omit<ExecutionError, 'reason' | 'missing'> {
  readonly missing: readonly string[] | undefined;
  readonly entry?: SubgraphErrorEntry;
  readonly gateway?: {
    readonly code: ErrorCode;
    readonly message: string;
    readonly subgraph: string | undefined;
    readonly extensions: Readonly<Record<string, unknown>>;
  };
}

export function serializeError({ reason, missing, ...error }: ExecutionError): SerializedError {
  const saved = { ...error, missing: missing && [...missing] };
  if (!(reason instanceof GatewayError)) return { ...saved, entry: reason };
  const { code, message, subgraph, extensions } = reason;
  return { ...saved, gateway: { code, message, subgraph, extensions } };
}

export function deserializeError({ entry, gateway, missing, ...error }: SerializedError): ExecutionError {
  return { ...error, missing: missing && new Set(missing), reason: entry ?? deserializeReason(gateway) };
}

function deserializeReason(saved: SerializedError['gateway']): GatewayError {
  if (saved === undefined) throw new Error('A saved error has no reason.');
  const { code, message, subgraph, extensions } = saved;
  return new GatewayError(code, message, { extensions, ...(subgraph === undefined ? {} : { subgraph }) });
}
