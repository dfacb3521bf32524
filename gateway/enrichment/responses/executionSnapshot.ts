import { type ErrorCode, GatewayError, isStackOverflow } from '../../errors.ts';
import type { Execution } from '../../execution/execution.ts';
import type { ExecutionError } from '../../execution/executionDiagnostics.ts';
import { programFingerprint } from '../../execution/programFingerprint.ts';
import { type ResponseObject, setKey } from '../../execution/responseTree.ts';
import { isRawNumber } from '../../json/exactJson.ts';
import { fitsInChunk, stringifyToTextInSlices } from '../../json/stringifyInSlices.ts';
import type { Grants } from '../../operation/authorization/access.ts';
import type { PreparedOperation } from '../../operation/preparedOperation.ts';
import type { PendingField } from '../../response/shapeData.ts';
import type { SubgraphErrorEntry } from '../../subgraphs/subgraphClient.ts';
import type { SlicedTask } from '../../time/slicedTask.ts';

/** Raise it when `ExecutionSnapshot`, its meaning, or anything else of an `EnrichmentJob` changes. */
export const snapshotFormatVersion = 2;

/** The state of an execution at its first response, as plain JSON: enough to resume it in any process. */
export interface ExecutionSnapshot {
  /** A process with another version of the format does not resume the execution. */
  readonly formatVersion: number;
  /** The response tree as JSON text, because the execution continues to modify the tree. */
  readonly tree: string;
  /** Indices of the steps to run: those that had not ended, and those that had failed but may succeed when repeated. */
  readonly remainingSteps: readonly number[];
  /** Errors of all other steps. */
  readonly errors: readonly SerializedError[];
  /** Delivery groups of the enrichments that were pending. */
  readonly pendingGroups: readonly number[];
  /** How to prepare the operation so that its steps have the same indices; `fingerprint` verifies that they have. */
  readonly isIncremental: boolean;
  readonly isFused: boolean;
  readonly overrides: readonly string[];
  /** What the request may read, whenever the job runs. Absent if the operation touches nothing that is protected. */
  readonly grants?: Grants | undefined;
  readonly fingerprint: string;
}

/** Takes a snapshot in slices. `remainingSteps` are those at the beginning: data that is merged into the tree meanwhile is
 *  fetched again by the resumed execution. */
export function* takeSnapshot(
  operation: PreparedOperation,
  execution: Execution,
  pending: readonly PendingField[],
  pendingGroups: readonly number[],
  isIncremental: boolean,
): SlicedTask<ExecutionSnapshot> {
  const groups = new Set(pending.flatMap((field) => field.groups));
  const failed = execution.transientErrorsOf(groups);
  const steps = execution.remainingSteps([...groups], new Set(failed.map(({ step }) => step)));
  const errors = execution.errors.filter(({ step }) => !steps.has(step)).map(serializeError);
  const { tree } = execution;
  return {
    formatVersion: snapshotFormatVersion,
    tree: yield* writeTree(tree),
    remainingSteps: [...steps],
    errors,
    pendingGroups,
    isIncremental,
    isFused: operation.isFused,
    overrides: operation.overrides,
    grants: operation.access?.grants,
    fingerprint: programFingerprint(operation.program),
  };
}

/** Deeper than a response can be whose values clients get. */
const maxTreeDepth = 1500;

function* writeTree(tree: ResponseObject): SlicedTask<string> {
  try {
    return fitsInChunk(tree) ? JSON.stringify(tree) : yield* stringifyToTextInSlices(tree);
  } catch (error) {
    if (!isStackOverflow(error)) throw error;
    return JSON.stringify(withoutDeepValues(tree, maxTreeDepth));
  }
}

/** A copy with null instead of the lists and objects that are nested deeper than `levels`. */
function withoutDeepValues(value: unknown, levels: number): unknown {
  if (typeof value !== 'object' || value === null || isRawNumber(value)) return value;
  if (levels === 0) return null;
  if (Array.isArray(value)) return value.map((element) => withoutDeepValues(element, levels - 1));
  const copy: ResponseObject = {};
  for (const key in value) setKey(copy, key, withoutDeepValues((value as ResponseObject)[key], levels - 1));
  return copy;
}

/** An error of an execution as plain JSON, without the details that are only logged. */
interface SerializedError extends Omit<ExecutionError, 'reason' | 'missing'> {
  readonly missing: readonly string[] | undefined;
  readonly entry?: SubgraphErrorEntry;
  readonly gateway?: {
    readonly code: ErrorCode;
    readonly message: string;
    readonly subgraph: string | undefined;
    readonly extensions: Readonly<Record<string, unknown>>;
  };
}

function serializeError({ reason, missing, ...error }: ExecutionError): SerializedError {
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
