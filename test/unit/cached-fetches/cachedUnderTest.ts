import type { CacheRules } from '../../../gateway/cache/rules/cacheRules.ts';
import type { CacheStore } from '../../../gateway/cache/store/cacheStore.ts';
import { MemoryStore } from '../../../gateway/cache/store/memoryStore.ts';
import { CachedFetches } from '../../../gateway/cached-fetches/cachedFetches.ts';
import { CachePlans } from '../../../gateway/cached-fetches/cachePlans.ts';
import { FetchCache, type FetchCacheOptions } from '../../../gateway/cached-fetches/fetchCache.ts';
import { GatewayError } from '../../../gateway/errors.ts';
import type { Budget } from '../../../gateway/execution/budget.ts';
import type { FetchCall, FetchError, FetchResult } from '../../../gateway/execution/fetchCall.ts';
import { answeredWith, toFailure } from '../../../gateway/execution/fetchResults.ts';
import type { EntityRequest, FetchSender, RootRequest } from '../../../gateway/execution/fetchSender.ts';
import type { FetchShape } from '../../../gateway/execution/fetchShape.ts';
import type { RequestScope } from '../../../gateway/execution/requestScope.ts';
import type { CallPriority } from '../../../gateway/subgraph-client/callPriority.ts';
import { systemTimers } from '../../../gateway/time/timers.ts';
import { scopeOf } from '../execution/fetches.ts';
import { silentObserver } from './silentObserver.ts';

interface Headers {
  readonly cacheControl?: string;
  readonly age?: string;
  readonly extensions?: Record<string, unknown>;
}

/** One call that reached the subgraph. */
export class AskedCall {
  readonly call: FetchCall;
  isCancelled = false;
  readonly #done: () => void;

  constructor(call: FetchCall, done: () => void) {
    this.call = call;
    this.#done = done;
  }

  /** What was asked for: ids of entities, or response names. */
  get asked(): readonly string[] {
    const { shape, representations } = this.call;
    if (shape.isEntityFetch) return representations.map((text) => String(JSON.parse(text).id));
    return [...shape.keys];
  }

  answer(
    data: unknown,
    { cacheControl, age, extensions }: Headers = {},
    errors: readonly FetchError[] = [],
  ): void {
    const response = {
      data: undefined,
      errors: undefined,
      cacheControl,
      age,
      extensions,
      isEscapeFree: true,
    };
    this.call.settle(answeredWith(response, data, errors), this.#done);
  }

  fail(error = new GatewayError('SUBGRAPH_UNREACHABLE', 'gone', { subgraph: 'products' })): void {
    this.call.settle(toFailure(error), this.#done);
  }
}

/** Takes calls in the place of the subgraphs. */
export class FakeSubgraphs implements FetchSender {
  readonly asked: AskedCall[] = [];

  sendEntities({ calls, done }: EntityRequest): () => void {
    return this.#take(calls, done);
  }

  sendRoot({ call, done }: RootRequest): () => void {
    return this.#take([call], done);
  }

  #take(calls: readonly FetchCall[], done: () => void): () => void {
    const taken = calls.map((call) => new AskedCall(call, done));
    this.asked.push(...taken);
    return () => {
      for (const one of taken) one.isCancelled = true;
    };
  }
}

export interface UnderTest {
  readonly fetches: FetchSender;
  readonly subgraphs: FakeSubgraphs;
  readonly store: CacheStore;
  readonly cache: FetchCache;
  readonly clock: { now: number };
  readonly mistakes: string[];
  /** Sends a call for entities, or a root fetch where `ids` is left out. */
  ask(
    shape: FetchShape,
    ids?: readonly string[],
    scope?: RequestScope,
    budget?: Budget,
    priority?: CallPriority,
  ): Asked;
}

export interface Asked {
  /** What it was settled with; `undefined` before. */
  readonly result: FetchResult | undefined;
  readonly data: unknown;
  readonly isDone: boolean;
  cancel(): void;
}

export interface UnderTestOptions extends Partial<FetchCacheOptions> {
  readonly subgraphs?: FakeSubgraphs;
}

export function cachedUnderTest(
  rules: CacheRules,
  { subgraphs = new FakeSubgraphs(), ...options }: UnderTestOptions = {},
): UnderTest {
  const clock = { now: 1_000_000 };
  const now = (): number => clock.now;
  const mistakes: string[] = [];
  const cache = new FetchCache({
    store: new MemoryStore({ maxSize: 1_000_000, now }),
    observer: silentObserver,
    nullMaxAgeMs: 5_000,
    tagLimits: { count: 10, length: 100 },
    maxEntrySize: 10_000,
    ignoredHeaders: new Set(),
    headerNames: () => ['authorization'],
    refreshDeadlineMs: () => 10_000,
    refreshPauseMs: 1_000,
    onMistake: (subgraph, reason) => mistakes.push(`${subgraph}: ${reason}`),
    onFault: (fault) => {
      throw fault;
    },
    now,
    timers: systemTimers,
    ...options,
  });
  const fetches = new CachedFetches({ next: subgraphs, plans: new CachePlans(rules), cache });
  return {
    fetches,
    subgraphs,
    store: cache.store,
    cache,
    clock,
    mistakes,
    ask(shape, ids, scope = scopeOf(), budget = undefined, priority = 'primary') {
      let result: FetchResult | undefined;
      let isDone = false;
      const call: FetchCall = {
        shape,
        scope,
        group: 0,
        priority,
        budget,
        isBelowRoot: false,
        representations: (ids ?? []).map((id) => `{"__typename":"Product","id":"${id}"}`),
        contextVariables: undefined,
        settle: (settled, done) => {
          result = settled;
          done();
        },
      };
      const done = (): void => {
        isDone = true;
      };
      const cancel = shape.isEntityFetch
        ? fetches.sendEntities({ calls: [call], scope, done })
        : fetches.sendRoot({ call, done });
      return {
        get result() {
          return result;
        },
        get data() {
          return result?.kind === 'answered' ? result.data : undefined;
        },
        get isDone() {
          return isDone;
        },
        cancel,
      };
    },
  };
}
