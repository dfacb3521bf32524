import type { FetchCall, FetchResult } from '../../execution/fetchCall.ts';
import type { CancelFetch, EntityRequest, FetchSender, RootRequest } from '../../execution/fetchSender.ts';
import { isPlainObject } from '../../execution/responseTree.ts';
import { clientVariableName } from '../../operation/variableNames.ts';
import { runInSlices, type SlicedTask } from '../../time/slicedTask.ts';
import type { Timers } from '../../time/timers.ts';
import type { CacheObserver } from '../cacheObserver.ts';
import type { MutationInvalidations, OnSkipped } from '../invalidation/mutationInvalidations.ts';
import type { CacheStore } from '../store/cacheStore.ts';

interface InvalidatingFetchSenderOptions {
  readonly next: FetchSender;
  readonly invalidations: MutationInvalidations;
  readonly store: CacheStore;
  readonly observer: CacheObserver;
  /** Longest that a mutation waits until other processes have been told; this one knows at once. */
  readonly maxWaitMs: number;
  readonly onSkipped: OnSkipped;
  onFault(fault: unknown): void;
  readonly timers: Timers;
}

/** Deletes from the cache what mutations say, before anybody sees their results: who reads after a mutation does not
 *  read what was before it. */
export class InvalidatingFetchSender implements FetchSender {
  readonly #options: InvalidatingFetchSenderOptions;

  constructor(options: InvalidatingFetchSenderOptions) {
    this.#options = options;
  }

  sendEntities(request: EntityRequest): CancelFetch {
    return this.#options.next.sendEntities(request);
  }

  sendRoot({ call, onDone }: RootRequest): CancelFetch {
    const { next } = this.#options;
    if (call.shape.kind !== 'mutation') return next.sendRoot({ call, onDone });
    return next.sendRoot({
      call: {
        ...call,
        settle: (result, settled) => this.#invalidate(call, result, () => call.settle(result, settled)),
      },
      onDone,
    });
  }

  #invalidate(call: FetchCall, result: FetchResult, go: () => void): void {
    runInSlices(
      this.#tagsOf(call, result),
      (tags) => (tags.length === 0 ? go() : this.#deleteTags(tags, go)),
      (fault) => {
        this.#options.onFault(fault);
        go();
      },
    );
  }

  #tagsOf({ shape, requestContext }: FetchCall, result: FetchResult): SlicedTask<readonly string[]> {
    const { variables } = requestContext;
    const readVariable = (name: string): unknown => {
      const clientName = clientVariableName(name);
      return Object.hasOwn(variables, clientName) ? variables[clientName] : undefined;
    };
    // What failed may have been done nevertheless.
    const data = result.kind === 'answered' && isPlainObject(result.data) ? result.data : undefined;
    return this.#options.invalidations.tagsOf(shape, readVariable, data, this.#options.onSkipped);
  }

  #deleteTags(tags: readonly string[], go: () => void): void {
    const { store, observer, maxWaitMs, timers } = this.#options;
    let isWaiting = true;
    const goOnce = (): void => {
      if (!isWaiting) return;
      isWaiting = false;
      cancelTimer();
      go();
    };
    const cancelTimer = timers.after(maxWaitMs, goOnce);
    void store.deleteByTags(tags).then(({ deleted }) => {
      observer.onInvalidated({ by: 'mutation', deleted });
      goOnce();
    });
  }
}
