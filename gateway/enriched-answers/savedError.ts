import { type ErrorCode, GatewayError } from '../errors.ts';
import type { ExecutionError } from '../execution/executionNotes.ts';
import type { SubgraphErrorEntry } from '../subgraph-client/subgraphClient.ts';

/** An error of an execution as plain JSON. What only the log sees of it is left out. */
export interface SavedError extends Omit<ExecutionError, 'reason' | 'missing'> {
  readonly missing: readonly string[] | undefined;
  readonly entry?: SubgraphErrorEntry;
  readonly gateway?: {
    readonly code: ErrorCode;
    readonly message: string;
    readonly subgraph: string | undefined;
    readonly extensions: Readonly<Record<string, unknown>>;
  };
}

export function saveError({ reason, missing, ...error }: ExecutionError): SavedError {
  const saved = { ...error, missing: missing && [...missing] };
  if (!(reason instanceof GatewayError)) return { ...saved, entry: reason };
  const { code, message, subgraph, extensions } = reason;
  return { ...saved, gateway: { code, message, subgraph, extensions } };
}

export function restoreError({ entry, gateway, missing, ...error }: SavedError): ExecutionError {
  return { ...error, missing: missing && new Set(missing), reason: entry ?? restoreReason(gateway) };
}

function restoreReason(saved: SavedError['gateway']): GatewayError {
  if (saved === undefined) throw new Error('A saved error has no reason.');
  const { code, message, subgraph, extensions } = saved;
  return new GatewayError(code, message, { extensions, ...(subgraph === undefined ? {} : { subgraph }) });
}
