import { createHash } from 'node:crypto';
import { type DocumentNode, print } from 'graphql';
import type { EnrichmentJob, EnrichmentPlace } from '../enrichment/enrichmentJob.ts';
import type { EnrichmentPriority } from '../enrichment/enrichmentRule.ts';
import type { PreparedOperation } from '../operation/preparedOperation.ts';
import type { OperationRequest } from '../operation/request.ts';
import type { LatePlace } from '../response/shape.ts';
import type { LateSnapshot } from './lateSnapshot.ts';
import { placeKey } from './placeKey.ts';

export interface LateJobOptions {
  readonly operation: PreparedOperation;
  readonly request: OperationRequest;
  /** The client's headers that have a say in what subgraphs answer. */
  readonly headers: readonly (readonly [string, string])[];
  readonly snapshot: LateSnapshot;
  readonly places: readonly LatePlace[];
}

/** The rest of an answer as a job. Two are equal where the same is missing from the same data, which includes the
 *  order of every list: an update is told by its path. */
export function lateJob({ operation, request, headers, snapshot, places }: LateJobOptions): EnrichmentJob {
  const rules = new Map(operation.enrichments.map(({ id, rule }) => [id, rule]));
  const missing = places.map(
    ({ path, enrichment }): EnrichmentPlace => ({
      key: placeKey(path),
      path,
      coordinate: rules.get(enrichment)?.coordinate ?? '',
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
    places: missing,
    priority: mostUrgent(places.flatMap(({ enrichment }) => rules.get(enrichment)?.priority ?? [])),
  };
}

function mostUrgent(priorities: readonly EnrichmentPriority[]): EnrichmentPriority {
  return (['CRITICAL', 'NORMAL'] as const).find((one) => priorities.includes(one)) ?? 'BACKGROUND';
}

function textOf(document: DocumentNode): string {
  let text = texts.get(document);
  if (text === undefined) {
    text = print(document);
    texts.set(document, text);
  }
  return text;
}

const texts = new WeakMap<DocumentNode, string>();
