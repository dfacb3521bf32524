import type { FetchCall } from '../../execution/fetchCall.ts';
import type { CancelFetch, EntityRequest, FetchSender, RootRequest } from '../../execution/fetchSender.ts';
import { isObject } from '../../json/isObject.ts';
import { clientVariableName } from '../../operation/variableNames.ts';
import { runInSlices, type SlicedTask } from '../../time/slicedTask.ts';
import type { Timers } from '../../time/timers.ts';
import type { CacheObserver } from '../cacheMetrics.ts';
import type { MutationInvalidations, OnSkipped } from '../invalidation/mutationInvalidations.ts';
import type { CacheStore } from '../store/cacheStore.ts';

interface InvalidatingFetchSenderOptions {
  readonly next: FetchSender;
  readonly invalidations: MutationInvalidations;
  readonly store: CacheStore;
  readonly observer: CacheObserver;
  /** How long the result of a mutation waits for the invalidation in other processes. In this process, the
   *  invalidation takes effect at once. */
  readonly maxWaitMs: number;
  /** A mutation that the subgraph did not answer may still be running: it invalidates again after this time. */
  repeatAfterMs(subgraph: string): number;
  /** Receives a function for each repetition that is due later, which brings it forward. */
  readonly repetitions: Set<() => void>;
  readonly onSkipped: OnSkipped;
  onFault(fault: unknown): void;
  readonly timers: Timers;
}

/** Invalidates cache entries after mutations, before the client gets the result: a client that reads after its mutation
 *  does not get older values. */
export class InvalidatingFetchSender implements FetchSender {
  readonly #options: InvalidatingFetchSenderOptions;

  constructor(options: InvalidatingFetchSenderOptions) {
    this.#options = options;
  }

  get readVersion(): string {
    return this.#options.store.version;
  }

  sendEntities(request: EntityRequest): CancelFetch {
    return this.#options.next.sendEntities(request);
  }

  sendRoot({ call, onDone }: RootRequest): CancelFetch {
    const { next } = this.#options;
    if (call.shape.kind !== 'mutation') return next.sendRoot({ call, onDone });
    let isInvalidated = false;
    const invalidate = (data: unknown, proceed: () => void): void => {
      isInvalidated = true;
      this.#invalidate(call, data, proceed);
    };
    const cancel = next.sendRoot({
      call: {
        ...call,
        settle: (result, onSettled) => {
          // A failed mutation may have taken effect, or may do so later.
          const data = result.kind === 'completed' ? result.data : undefined;
          invalidate(data, () => call.settle(result, onSettled));
        },
      },
      onDone,
    });
    return () => {
      cancel();
      // So may a cancelled one, which is not settled.
      if (!isInvalidated) invalidate(undefined, () => {});
    };
  }

  #invalidate(call: FetchCall, data: unknown, proceed: () => void): void {
    runInSlices(
      this.#tagsOf(call, data),
      (tags) => {
        if (tags.length === 0) {
          proceed();
          return;
        }
        this.#deleteTags(tags, proceed);
        if (data === undefined) this.#repeatLater(tags, call.shape.subgraph);
      },
      (fault) => {
        this.#options.onFault(fault);
        proceed();
      },
    );
  }

  #repeatLater(tags: readonly string[], subgraph: string): void {
    const { repeatAfterMs, repetitions, timers } = this.#options;
    const repeat = (): void => {
      cancelTimer();
      repetitions.delete(repeat);
      this.#deleteTags(tags, () => {});
    };
    const cancelTimer = timers.after(repeatAfterMs(subgraph), repeat);
    repetitions.add(repeat);
  }

  #tagsOf({ shape, requestContext }: FetchCall, data: unknown): SlicedTask<readonly string[]> {
    const { variables } = requestContext;
    const readVariable = (name: string): unknown => {
      const clientName = clientVariableName(name);
      return Object.hasOwn(variables, clientName) ? variables[clientName] : undefined;
    };
    const { invalidations, onSkipped } = this.#options;
    return invalidations.tagsOf(shape, readVariable, isObject(data) ? data : undefined, onSkipped);
  }

  #deleteTags(tags: readonly string[], proceed: () => void): void {
    const { store, observer, maxWaitMs, timers } = this.#options;
    let isWaiting = true;
    const proceedOnce = (): void => {
      if (!isWaiting) return;
      isWaiting = false;
      proceed();
    };
    const cancelTimer = timers.after(maxWaitMs, proceedOnce);
    void store.deleteByTags(tags).then(({ deleted }) => {
      observer.onInvalidated({ by: 'mutation', deleted });
      cancelTimer();
      proceedOnce();
    });
  }
}
