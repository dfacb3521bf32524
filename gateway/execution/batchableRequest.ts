import { TextKey } from '../sharing/textMap.ts';
import { deadlineExceededError } from '../subgraphs/callErrors.ts';
import type { ForwardedHeaders } from '../subgraphs/forwardedHeaders.ts';
import {
  type CallPriority,
  higherPriority,
  type RequestPriority,
} from '../subgraphs/policies/callPriority.ts';
import type { FetchSpan } from '../telemetry/fetchSpan.ts';
import { createCountdownLatch } from './countdownLatch.ts';
import { type FetchCall, type FetchResult, serializeVariables, toFailedResult } from './fetchCall.ts';
import type { EntityRequest } from './fetchSender.ts';
import type { FusedShape } from './fetchShape.ts';
import { type RequestContext, sharingKeyFor } from './requestContext.ts';

/** What a request is sent in, perhaps with other ones. */
export interface SentBatch {
  /** A request was cancelled. */
  onCancel(): void;
}

/** An entity request that can be part of a batch and be cancelled by itself. */
export class BatchableRequest {
  readonly calls: readonly FetchCall[];
  readonly requestContext: RequestContext;
  readonly fused: FusedShape;
  readonly headers: ForwardedHeaders;
  /** Representations. */
  readonly size: number;
  isCancelled = false;
  /** While the request is under way. */
  sentIn: SentBatch | undefined;
  readonly #onDone: () => void;

  /** @throws {GatewayError} `BAD_REQUEST` for a client's header that cannot be forwarded. */
  constructor(request: EntityRequest, fused: FusedShape) {
    this.calls = request.calls;
    this.requestContext = request.requestContext;
    this.fused = fused;
    this.headers = request.requestContext.headersFor(fused.subgraph);
    let size = 0;
    for (const { representations } of request.calls) size += representations.length;
    this.size = size;
    this.#onDone = request.onDone;
  }

  /** Everything that may change the response of a request with this fused shape, except the representations. */
  batchKey(): TextKey {
    const { subgraph } = this.fused;
    const variables = this.calls.map((call, n) =>
      serializeVariables(call, (name) => this.fused.variableNameOf(n, name)),
    );
    return new TextKey(
      JSON.stringify([sharingKeyFor(this.requestContext, subgraph), this.isDeferred, variables]),
      this.headers.key,
    );
  }

  get span(): FetchSpan | undefined {
    return this.calls[0]?.span;
  }

  get isDeferred(): boolean {
    return (this.calls[0]?.group ?? 0) > 0;
  }

  /** Of its most urgent call. */
  get priority(): CallPriority {
    // Another request may have joined the fetch since it was sent.
    let urgent: CallPriority | undefined;
    for (const { priority, raisablePriority } of this.calls) {
      const current = raisablePriority?.current ?? priority;
      urgent = urgent === undefined ? current : higherPriority(urgent, current);
    }
    return urgent as CallPriority;
  }

  get requestPriority(): RequestPriority {
    return this.requestContext.preferences.priority ?? 'normal';
  }

  get deadline(): number {
    return this.requestContext.deadlineFor(this.fused.subgraph);
  }

  cancel(): void {
    if (this.isCancelled) return;
    this.isCancelled = true;
    this.sentIn?.onCancel();
  }

  /** The request's deadline has passed. Other requests of the batch may have later ones. */
  expire(): void {
    if (this.isCancelled) return;
    const failure = toFailedResult(deadlineExceededError(this.fused.subgraph));
    settleAll([this], () => failure, this.#onDone);
    this.cancel();
  }

  finish(): void {
    this.sentIn = undefined;
    if (!this.isCancelled) this.#onDone();
  }
}

/** Settles every call of these requests. `done` is called when all results have been processed. */
export function settleAll(
  requests: readonly BatchableRequest[],
  resultOf: (request: number, call: number) => FetchResult,
  done: () => void,
): void {
  const only = requests.length === 1 ? requests[0] : undefined;
  if (only !== undefined && only.calls.length === 1 && !only.isCancelled) {
    only.calls[0]?.settle(resultOf(0, 0), done);
    return;
  }
  const open = requests.map((request) => (request.isCancelled ? [] : request.calls));
  const countDown = createCountdownLatch(
    open.reduce((count, calls) => count + calls.length, 0),
    done,
  );
  open.forEach((calls, r) => {
    calls.forEach((call, n) => {
      // Settling an earlier call may have cancelled the request.
      if (requests[r]?.isCancelled === true) countDown();
      else call.settle(resultOf(r, n), countDown);
    });
  });
}
