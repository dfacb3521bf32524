import DataLoader from 'dataloader';
import { mostUrgent } from '../subgraphs/policies/callPriority.ts';
import { FetchSpan } from '../telemetry/fetchSpan.ts';
import { createCountdownLatch } from './countdownLatch.ts';
import { type FetchCall, type FetchResult, type Staleness, serializeVariables } from './fetchCall.ts';
import type { CancelFetch, FetchSender } from './fetchSender.ts';
import type { RequestContext } from './requestContext.ts';

/** A fetch that is under way. */
interface SentFetch {
  isDone: boolean;
  /** `undefined` until the fetch is sent. */
  cancel: CancelFetch | undefined;
  readonly span: FetchSpan | undefined;
}

/** Batches the fetches of one operation that are ready at the same moment: entity fetches of one subgraph are sent as one
 *  HTTP request, equal root fetches once. There is one DataLoader per subgraph and delivery group. Results are passed to
 *  callbacks, so that no promise keeps a response in memory. */
export class FetchScheduler {
  readonly #sender: FetchSender;
  readonly #requestContext: RequestContext;
  readonly #loaders = new Map<string, DataLoader<FetchCall, undefined, unknown>>();
  readonly #sent = new Set<SentFetch>();
  #isCancelled = false;

  constructor(sender: FetchSender, scope: RequestContext) {
    this.#sender = sender;
    this.#requestContext = scope;
  }

  /** Resolves when the call, or an equal one, is settled. Never rejects. */
  load(call: FetchCall): Promise<unknown> {
    const { shape } = call;
    const key = shape.isEntityFetch
      ? `${call.group} entities ${shape.subgraph}`
      : `${call.group} root ${shape.subgraph}`;
    let loader = this.#loaders.get(key);
    if (loader === undefined) {
      loader = shape.isEntityFetch
        ? this.#entityLoader(key)
        : new DataLoader((calls) => this.#sendRootCalls(calls), { cacheKeyFn: rootKey });
      this.#loaders.set(key, loader);
    }
    return loader.load(call);
  }

  /** Creates a loader for one batch. `EntityTable` deduplicates entities, so that no cache is needed, and a loader would
   *  keep its last batch in memory. */
  #entityLoader(key: string): DataLoader<FetchCall, undefined, unknown> {
    return new DataLoader(
      (calls) => {
        this.#loaders.delete(key);
        return this.#sendEntityCalls(calls);
      },
      { cache: false },
    );
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
    for (const loader of this.#loaders.values()) loader.clearAll();
    this.#loaders.clear();
  }

  #sendEntityCalls(calls: readonly FetchCall[]): Promise<undefined[]> {
    if (this.#isCancelled) return Promise.resolve(calls.map(() => undefined));
    const startedAt = performance.now();
    const span = this.#startSpan(calls, startedAt);
    const merged = mergeEqualShapes(calls);
    return this.#send(
      calls.map(() => undefined),
      span,
      startedAt,
      (done) =>
        this.#sender.sendEntities({ calls: merged, requestContext: this.#requestContext, onDone: done }),
    );
  }

  #sendRootCalls(calls: readonly FetchCall[]): Promise<undefined[]> {
    return Promise.all(calls.map((call) => this.#sendRootCall(call)));
  }

  #sendRootCall(call: FetchCall): Promise<undefined> {
    if (this.#isCancelled) return Promise.resolve(undefined);
    const startedAt = performance.now();
    const span = this.#requestContext.trace && this.#startSpan([call], startedAt);
    return this.#send(undefined, span, startedAt, (done) => this.#sender.sendRoot({ call, onDone: done }));
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

  #send<Value>(
    value: Value,
    span: FetchSpan | undefined,
    startedAt: number,
    start: (done: () => void) => CancelFetch,
  ): Promise<Value> {
    const { record } = this.#requestContext;
    return new Promise((resolve) => {
      const sent: SentFetch = { isDone: false, cancel: undefined, span };
      record?.startFetch(startedAt);
      sent.cancel = start(() => {
        if (sent.isDone) return;
        sent.isDone = true;
        this.#sent.delete(sent);
        const endedAt = performance.now();
        record?.endFetch(endedAt);
        span?.end(undefined, endedAt);
        resolve(value);
      });
      // A cached result is there before the call can be cancelled.
      if (!sent.isDone) this.#sent.add(sent);
    });
  }
}

/** Equal for root fetches that are sent once. A mutation is never deduplicated. */
function rootKey(call: FetchCall): unknown {
  return call.shape.kind === 'mutation' || call.isBelowRoot
    ? call
    : `${call.shape.id}:${serializeVariables(call, identityFunction)}`;
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
