import { type ErrorCode, GatewayError } from '../../errors.ts';
import type { Execution } from '../../execution/execution.ts';
import type { ExecutionError } from '../../execution/executionDiagnostics.ts';
import { programFingerprint } from '../../execution/programFingerprint.ts';
import { isSubgraphFailure } from '../../execution/subgraphFailure.ts';
import { fitsInChunk, stringifyToTextInSlices } from '../../json/stringifyInSlices.ts';
import type { PreparedOperation } from '../../operation/preparedOperation.ts';
import type { PendingField } from '../../response/shapeData.ts';
import type { SubgraphErrorEntry } from '../../subgraphs/subgraphClient.ts';
import type { SlicedTask } from '../../time/slicedTask.ts';

/** What an execution had done when its first answer left, as plain JSON: enough to do the rest anywhere. */
export interface ExecutionSnapshot {
  /** The response tree as JSON text: the execution that it was taken of goes on with its own. */
  readonly tree: string;
  /** Indices of the steps that something still waits for: those that had not ended, and those that had failed in a way
   *  that another attempt may mend. */
  readonly remainingSteps: readonly number[];
  /** Of all other steps. */
  readonly errors: readonly SerializedError[];
  /** Delivery groups of the enrichments that were pending. */
  readonly pendingGroups: readonly number[];
  /** How the operation has to be prepared for its steps to have the same indices, and what tells that they have. */
  readonly isIncremental: boolean;
  readonly isFused: boolean;
  readonly overrides: readonly string[];
  readonly fingerprint: string;
}

/** As work in slices. What comes into the tree meanwhile is fetched again by whoever goes on: the steps that are left are
 *  those of the beginning. */
export function* takeSnapshot(
  operation: PreparedOperation,
  execution: Execution,
  places: readonly PendingField[],
  late: readonly number[],
  isIncremental: boolean,
): SlicedTask<ExecutionSnapshot> {
  const groups = new Set(places.flatMap((place) => place.groups));
  const failed = execution.errors.filter(
    ({ group, reason }) => groups.has(group) && isSubgraphFailure(reason),
  );
  const steps = execution.remainingSteps([...groups], new Set(failed.map(({ step }) => step)));
  const errors = execution.errors.filter(({ step }) => !steps.has(step)).map(serializeError);
  const { tree } = execution;
  return {
    tree: fitsInChunk(tree) ? JSON.stringify(tree) : yield* stringifyToTextInSlices(tree),
    remainingSteps: [...steps],
    errors,
    pendingGroups: late,
    isIncremental,
    isFused: operation.isFused,
    overrides: operation.overrides,
    fingerprint: programFingerprint(operation.program),
  };
}

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
