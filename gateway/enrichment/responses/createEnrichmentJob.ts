import { createHash } from 'node:crypto';
import { type DocumentNode, print } from 'graphql';
import type { ResponsePath } from '../../errors.ts';
import type { Claims } from '../../execution/requestContext.ts';
import type { EnrichmentPriority } from '../../operation/enrichmentRule.ts';
import type { OperationRequest } from '../../operation/operationRequest.ts';
import type { PreparedOperation } from '../../operation/preparedOperation.ts';
import type { PendingField } from '../../response/shapeData.ts';
import { getOrInsertComputed } from '../../sharing/getOrInsertComputed.ts';
import type { SpanAttributes } from '../../telemetry/trace.ts';
import type { EnrichmentJob, JobField } from '../enrichmentJob.ts';
import type { ExecutionSnapshot } from './executionSnapshot.ts';

interface CreateEnrichmentJobOptions {
  readonly operation: PreparedOperation;
  readonly request: OperationRequest;
  /** The client's headers that subgraphs depend on. */
  readonly headers: readonly (readonly [string, string])[];
  /** The claims that subgraphs depend on. */
  readonly claims: Claims | undefined;
  readonly subgraphHeaders?: EnrichmentJob['subgraphHeaders'];
  readonly snapshot: ExecutionSnapshot;
  readonly pending: readonly PendingField[];
  readonly traceparent?: string | undefined;
  /** Jobs of different partitions are not equal: `FetchSender.readVersion` at the beginning of the response, or a unique text
   *  if the request shares no calls. */
  readonly partition?: string | undefined;
}

/** Creates the job that fetches the pending fields of a response. The ids of two jobs are equal if the same fields are
 *  pending in the same data, and no cached value was invalidated between the responses. The data includes the order of lists,
 *  because updates are identified by paths. */
export function createEnrichmentJob({
  operation,
  request,
  headers,
  claims,
  subgraphHeaders,
  snapshot,
  pending,
  traceparent,
  partition,
}: CreateEnrichmentJobOptions): EnrichmentJob {
  const rules = new Map(operation.enrichments.map(({ group, rule }) => [group, rule]));
  const fields = pending.map(
    ({ path, group }): JobField => ({
      key: responsePathKey(path),
      path,
      coordinate: rules.get(group)?.coordinate ?? '',
    }),
  );
  const requested = {
    document: textOf(request.document),
    operationName: request.operationName,
    variables: JSON.stringify(request.variables),
  };
  const caller = { identity: request.caller.identity, claims };
  const identification = JSON.stringify([
    requested,
    caller,
    headers,
    fields,
    ...(subgraphHeaders === undefined ? [] : [subgraphHeaders]),
    ...(partition === undefined ? [] : [partition]),
  ]);
  // The tree is JSON text already, and may be large.
  const progress = JSON.stringify({ ...snapshot, tree: undefined });
  const snapshotSize = Buffer.byteLength(progress) + Buffer.byteLength(snapshot.tree);
  return {
    id: createHash('sha256')
      .update(identification)
      .update(progress)
      .update(snapshot.tree)
      .digest('base64url'),
    operation: requested,
    caller,
    headers: [...headers, ['x-request-id', request.requestId]],
    ...(subgraphHeaders === undefined ? {} : { subgraphHeaders }),
    snapshot,
    snapshotSize,
    size: Buffer.byteLength(identification) + snapshotSize,
    fields,
    priority: highestPriority(pending.flatMap(({ group }) => rules.get(group)?.priority ?? [])),
    ...(traceparent === undefined ? {} : { traceparent }),
  };
}

function highestPriority(priorities: readonly EnrichmentPriority[]): EnrichmentPriority {
  return (['CRITICAL', 'NORMAL'] as const).find((priority) => priorities.includes(priority)) ?? 'BACKGROUND';
}

function textOf(document: DocumentNode): string {
  return getOrInsertComputed(printedDocuments, document, () => print(document));
}

const printedDocuments = new WeakMap<DocumentNode, string>();

/** What the span of an attempt says of its job. `isResumed`: the attempt continues from the snapshot. */
export function jobSpanAttributes({ id, fields }: EnrichmentJob, isResumed: boolean): SpanAttributes {
  return {
    'tributary.enrichment.kind': 'job',
    'tributary.enrichment.job': id,
    // A field of a list is pending once for each element.
    'tributary.enrichment.fields': [...new Set(fields.map(({ coordinate }) => coordinate))],
    'tributary.enrichment.resumed': isResumed,
  };
}

/** Identifies a path of a response. */
export function responsePathKey(path: ResponsePath): string {
  return JSON.stringify(path);
}
