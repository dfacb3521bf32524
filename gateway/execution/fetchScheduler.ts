import { mostUrgent } from '../subgraphs/policies/callPriority.ts';
import { FetchSpan } from '../telemetry/fetchSpan.ts';
import { createCountdownLatch } from './countdownLatch.ts';
import { type FetchCall, type FetchResult, type Staleness, serializeVariables } from './fetchCall.ts';
import type { CancelFetch, FetchSender } from './fetchSender.ts';
import type { RequestContext } from './requestContext.ts';
import { type OnSettled, Settlement } from './settlement.ts';

/** A fetch that is under way. */
interface SentFetch {
  isDone: boolean;
  /** `undefined` until the fetch is sent. */
  cancel: CancelFetch | undefined;
  readonly span: FetchSpan | undefined;
}

/** Entity fetches of one subgraph and delivery group that will be sent together. */
interface EntityBatch {
  readonly calls: FetchCall[];
  readonly settlement: Settlement;
}

/** Batches the fetches of one operation that are ready at the same moment: entity fetches of one subgraph are sent as one
 *  HTTP request, equal root fetches once. The moment ends as DataLoader's does: when all promises that are settled now have
 *  been handled. Results are passed to callbacks, so that no promise keeps a response in memory. */
export class FetchScheduler {
  readonly #sender: FetchSender;
  readonly #requestContext: RequestContext;
  /** Per delivery group, by subgraph. */
  readonly #entityBatches: Map<string, EntityBatch>[] = [];
  readonly #rootFetches = new Map<unknown, Settlement>();
  readonly #sent = new Set<SentFetch>();
  #isCancelled = false;

  constructor(sender: FetchSender, scope: RequestContext) {
    this.#sender = sender;
    this.#requestContext = scope;
  }

  /** `onSettled` is called when the call, or an equal one, is settled: never before this has returned, and not after `cancel`. */
  load(call: FetchCall, onSettled: OnSettled): void {
    if (call.shape.isEntityFetch) this.#loadEntities(call, onSettled);
    else this.#loadRoot(call, onSettled);
  }

  #loadEntities(call: FetchCall, onSettled: OnSettled): void {
    const { subgraph } = call.shape;
    this.#entityBatches[call.group] ??= new Map();
    const batches = this.#entityBatches[call.group] as Map<string, EntityBatch>;
    const known = batches.get(subgraph);
    if (known !== undefined) {
      known.calls.push(call);
      known.settlement.wait(onSettled);
      return;
    }
    const batch: EntityBatch = { calls: [call], settlement: new Settlement() };
    batch.settlement.wait(onSettled);
    batches.set(subgraph, batch);
    afterPromises(() => {
      batches.delete(subgraph);
      this.#sendEntityCalls(batch);
    });
  }

  #loadRoot(call: FetchCall, onSettled: OnSettled): void {
    const key = rootKey(call);
    const known = this.#rootFetches.get(key);
    if (known !== undefined) {
      // It may be settled already.
      queueMicrotask(() => known.wait(onSettled));
      return;
    }
    const settlement = new Settlement();
    settlement.wait(onSettled);
    this.#rootFetches.set(key, settlement);
    afterPromises(() => this.#sendRootCall(call, settlement));
  }

  /** Cancels the calls in flight that no other request shares. They are not settled any more. */
  cancel(): void {
    // Calls that are batched at the end of this turn must not be sent.
    this.#isCancelled = true;
    if (this.#sent.size === 0) return;
    const endedAt = performance.now();
    for (const sent of this.#sent) {
      sent.isDone = true;
      this.#requestContext.record?.endFetch(endedAt);
      sent.cancel?.();
      sent.span?.end('cancelled', endedAt);
    }
    this.#sent.clear();
  }

  /** Releases the memory of calls that were sent. */
  release(): void {
    this.#rootFetches.clear();
  }

  #sendEntityCalls({ calls, settlement }: EntityBatch): void {
    if (this.#isCancelled) return;
    const startedAt = performance.now();
    const span = this.#startSpan(calls, startedAt);
    const merged = mergeEqualShapes(calls);
    this.#send(settlement, span, startedAt, (done) =>
      this.#sender.sendEntities({ calls: merged, requestContext: this.#requestContext, onDone: done }),
    );
  }

  #sendRootCall(call: FetchCall, settlement: Settlement): void {
    if (this.#isCancelled) return;
    const startedAt = performance.now();
    const span = this.#requestContext.trace && this.#startSpan([call], startedAt);
    this.#send(settlement, span, startedAt, (done) => this.#sender.sendRoot({ call, onDone: done }));
  }

  /** Starts the span of calls that are sent together. The event of a subscription is no fetch. */
  #startSpan(calls: readonly FetchCall[], startedAt: number): FetchSpan | undefined {
    const { trace } = this.#requestContext;
    if (trace === undefined) return undefined;
    const { shape, group } = calls[0] as FetchCall;
    if (shape.kind === 'subscription') return undefined;
    const representations = calls.reduce((sum, call) => sum + call.representations.length, 0);
    const span = FetchSpan.start(trace.current, shape.subgraph, representations, group, startedAt);
    for (const call of calls) call.span = span;
    return span;
  }

  #send(
    settlement: Settlement,
    span: FetchSpan | undefined,
    startedAt: number,
    start: (done: () => void) => CancelFetch,
  ): void {
    const { record } = this.#requestContext;
    const sent: SentFetch = { isDone: false, cancel: undefined, span };
    record?.startFetch(startedAt);
    const end = (fault?: unknown): void => {
      if (sent.isDone) return;
      sent.isDone = true;
      this.#sent.delete(sent);
      const endedAt = performance.now();
      record?.endFetch(endedAt);
      span?.end(undefined, endedAt);
      settlement.settle(fault);
    };
    try {
      sent.cancel = start(() => end());
    } catch (fault) {
      // What a settled fetch has caused is no fault of the fetch.
      if (sent.isDone) throw fault;
      end(fault);
      return;
    }
    // A cached result is there before the call can be cancelled.
    if (!sent.isDone) this.#sent.add(sent);
  }
}

/** Calls `run` when all promises that are settled now have been handled. */
function afterPromises(run: () => void): void {
  void resolved.then(() => process.nextTick(run));
}

const resolved = Promise.resolve();

/** Equal for root fetches that are sent once. A mutation is never deduplicated. */
function rootKey(call: FetchCall): unknown {
  return call.shape.kind === 'mutation' || call.isBelowRoot
    ? call
    : `${call.group}:${call.shape.id}:${serializeVariables(call, identityFunction)}`;
}

function identityFunction<T>(value: T): T {
  return value;
}

/** Merges calls of one shape for different paths. Their representations all differ, because an operation fetches no
 *  entity twice. */
function mergeEqualShapes(calls: readonly FetchCall[]): readonly FetchCall[] {
  if (calls.length === 1) return calls;
  const byKey = new Map<string, FetchCall[]>();
  for (const call of calls) {
    const key = `${call.shape.id} ${serializeVariables(call, identityFunction)}`;
    const same = byKey.get(key);
    if (same === undefined) byKey.set(key, [call]);
    else same.push(call);
  }
  return [...byKey.values()].map(mergeCalls);
}

function mergeCalls(calls: readonly FetchCall[]): FetchCall {
  const first = calls[0] as FetchCall;
  if (calls.length === 1) return first;
  return {
    ...first,
    priority: calls.map((call) => call.priority).reduce(mostUrgent),
    representations: calls.flatMap((call) => call.representations),
    settle(result, done) {
      let start = 0;
      const countDown = createCountdownLatch(calls.length, done);
      calls.forEach((call, index) => {
        const end = start + call.representations.length;
        call.settle(
          result.kind === 'failed' ? result : sliceResult(result, start, end, index === 0),
          countDown,
        );
        start = end;
      });
    },
  };
}

/** Returns the part of a result that belongs to the representations from `start` to `end`. An error of the whole fetch
 *  goes to the first call; if there is no data, to all calls. */
function sliceResult(
  result: Extract<FetchResult, { kind: 'answered' }>,
  start: number,
  end: number,
  isFirst: boolean,
): FetchResult {
  return {
    ...result,
    data: Array.isArray(result.data) ? result.data.slice(start, end) : result.data,
    errors: result.errors.flatMap((error) => {
      if (error.entityIndex === undefined) return isFirst || !Array.isArray(result.data) ? [error] : [];
      return error.entityIndex >= start && error.entityIndex < end
        ? [{ ...error, entityIndex: error.entityIndex - start }]
        : [];
    }),
    stale:
      result.stale &&
      new Map(
        Array.from({ length: end - start }, (_, index) => [index, result.stale?.get(start + index)]).filter(
          (entry): entry is [number, Staleness] => entry[1] !== undefined,
        ),
      ),
  };
}
