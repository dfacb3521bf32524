import DataLoader from 'dataloader';
import { mostUrgent } from '../subgraphs/policies/callPriority.ts';
import { createCountdownLatch } from './countdownLatch.ts';
import { type FetchCall, type FetchResult, type Staleness, serializeVariables } from './fetchCall.ts';
import type { CancelFetch, FetchSender } from './fetchSender.ts';
import type { RequestContext } from './requestContext.ts';

/** Collects the fetches of one operation that are ready at the same moment: entity fetches of one subgraph
 *  leave as one HTTP request, equal root fetches once. A DataLoader per subgraph and delivery group does the
 *  collecting; results are handed over by calls, so that no promise holds an answer. */
export class FetchScheduler {
  readonly #sender: FetchSender;
  readonly #requestContext: RequestContext;
  readonly #loaders = new Map<string, DataLoader<FetchCall, undefined, unknown>>();
  readonly #cancellations = new Set<() => void>();
  #isCancelled = false;

  constructor(sender: FetchSender, scope: RequestContext) {
    this.#sender = sender;
    this.#requestContext = scope;
  }

  /** Resolves once the call is settled, or an equal one in its place. Never rejects. */
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

  /** For one batch: which entities have been asked for is remembered by `EntityTable`, and a loader keeps its last
   *  batch for as long as it lives. */
  #entityLoader(key: string): DataLoader<FetchCall, undefined, unknown> {
    return new DataLoader(
      (calls) => {
        this.#loaders.delete(key);
        return this.#sendEntityCalls(calls);
      },
      { cache: false },
    );
  }

  /** Ends every call under way as far as nobody else waits for it. They are not settled any more. */
  cancel(): void {
    // Calls that wait for the end of this turn must not be sent after it.
    this.#isCancelled = true;
    for (const cancel of this.#cancellations) cancel();
    this.#cancellations.clear();
  }

  /** Forgets the calls that have been made. */
  release(): void {
    for (const loader of this.#loaders.values()) loader.clearAll();
    this.#loaders.clear();
  }

  #sendEntityCalls(calls: readonly FetchCall[]): Promise<undefined[]> {
    if (this.#isCancelled) return Promise.resolve(calls.map(() => undefined));
    const joined = mergeEqualShapes(calls);
    return this.#send(
      calls.map(() => undefined),
      (done) =>
        this.#sender.sendEntities({ calls: joined, requestContext: this.#requestContext, onDone: done }),
    );
  }

  #sendRootCalls(calls: readonly FetchCall[]): Promise<undefined[]> {
    return Promise.all(calls.map((call) => this.#sendRootCall(call)));
  }

  #sendRootCall(call: FetchCall): Promise<undefined> {
    if (this.#isCancelled) return Promise.resolve(undefined);
    return this.#send(undefined, (done) => this.#sender.sendRoot({ call, onDone: done }));
  }

  #send<Value>(value: Value, start: (done: () => void) => CancelFetch): Promise<Value> {
    return new Promise((resolve) => {
      let isDone = false;
      let cancel: CancelFetch | undefined;
      cancel = start(() => {
        isDone = true;
        if (cancel !== undefined) this.#cancellations.delete(cancel);
        resolve(value);
      });
      // What was kept answers before there is anything to cancel.
      if (!isDone) this.#cancellations.add(cancel);
    });
  }
}

/** A mutation is sent as often as it was asked for. */
function rootKey(call: FetchCall): unknown {
  return call.shape.kind === 'mutation' || call.isBelowRoot
    ? call
    : `${call.shape.id}:${serializeVariables(call, identityFunction)}`;
}

function identityFunction<T>(value: T): T {
  return value;
}

/** Calls of one shape, made for different paths, become one with all their representations: these are different,
 *  since an operation asks for no entity twice. */
function mergeEqualShapes(calls: readonly FetchCall[]): readonly FetchCall[] {
  if (calls.length === 1) return calls;
  const byQuestion = new Map<string, FetchCall[]>();
  for (const call of calls) {
    const question = `${call.shape.id} ${serializeVariables(call, identityFunction)}`;
    const same = byQuestion.get(question);
    if (same === undefined) byQuestion.set(question, [call]);
    else same.push(call);
  }
  return [...byQuestion.values()].map(mergeCalls);
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
      const doneOne = createCountdownLatch(calls.length, done);
      calls.forEach((call, index) => {
        const end = start + call.representations.length;
        call.settle(
          result.kind === 'failed' ? result : sliceResult(result, start, end, index === 0),
          doneOne,
        );
        start = end;
      });
    },
  };
}

/** What of an answer belongs to the representations from `start` to `end`. An error of the whole is the first's,
 *  unless there is nothing but the error. */
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
