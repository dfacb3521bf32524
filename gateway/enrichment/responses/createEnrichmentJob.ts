import { createHash } from 'node:crypto';
import { type DocumentNode, print } from 'graphql';
import type { ResponsePath } from '../../errors.ts';
import type { EnrichmentPriority } from '../../operation/enrichmentRule.ts';
import type { OperationRequest } from '../../operation/operationRequest.ts';
import type { PreparedOperation } from '../../operation/preparedOperation.ts';
import type { PendingField } from '../../response/shapeData.ts';
import type { EnrichmentJob, JobField } from '../enrichmentJob.ts';
import type { ExecutionSnapshot } from './executionSnapshot.ts';

interface CreateEnrichmentJobOptions {
  readonly operation: PreparedOperation;
  readonly request: OperationRequest;
  /** The client's headers that have a say in what subgraphs answer. */
  readonly headers: readonly (readonly [string, string])[];
  readonly snapshot: ExecutionSnapshot;
  readonly pending: readonly PendingField[];
}

/** The rest of an answer as a job. Two are equal where the same is missing from the same data, which includes the
 *  order of every list: an update is told by its path. */
export function createEnrichmentJob({
  operation,
  request,
  headers,
  snapshot,
  pending,
}: CreateEnrichmentJobOptions): EnrichmentJob {
  const rules = new Map(operation.enrichments.map(({ group, rule }) => [group, rule]));
  const missing = pending.map(
    ({ path, group }): JobField => ({
      key: responsePathKey(path),
      path,
      coordinate: rules.get(group)?.coordinate ?? '',
    }),
  );
  const asked = {
    document: textOf(request.document),
    operationName: request.operationName,
    variables: request.variables,
  };
  const wanted = JSON.stringify([asked, headers, missing]);
  // The tree is text already, and long.
  const progress = JSON.stringify({ ...snapshot, tree: undefined });
  const snapshotSize = Buffer.byteLength(progress) + Buffer.byteLength(snapshot.tree);
  return {
    id: createHash('sha256').update(wanted).update(progress).update(snapshot.tree).digest('base64url'),
    operation: asked,
    headers: [...headers, ['x-request-id', request.requestId]],
    snapshot,
    snapshotSize,
    size: Buffer.byteLength(wanted) + snapshotSize,
    fields: missing,
    priority: highestPriority(pending.flatMap(({ group }) => rules.get(group)?.priority ?? [])),
  };
}

function highestPriority(priorities: readonly EnrichmentPriority[]): EnrichmentPriority {
  return (['CRITICAL', 'NORMAL'] as const).find((one) => priorities.includes(one)) ?? 'BACKGROUND';
}

function textOf(document: DocumentNode): string {
  let text = printedDocuments.get(document);
  if (text === undefined) {
    text = print(document);
    printedDocuments.set(document, text);
  }
  return text;
}

const printedDocuments = new WeakMap<DocumentNode, string>();

/** Tells the places of one answer apart. */
export function responsePathKey(path: ResponsePath): string {
  return JSON.stringify(path);
}
