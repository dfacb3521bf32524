import { pino } from 'pino';
import { CachePlans } from '../../../../gateway/cache/fetches/cachePlans.ts';
import { CachingFetchSender } from '../../../../gateway/cache/fetches/cachingFetchSender.ts';
import type { FetchCacheOptions } from '../../../../gateway/cache/fetches/fetchCache.ts';
import type { CacheRules } from '../../../../gateway/cache/rules/cacheRules.ts';
import { RuleUsages } from '../../../../gateway/cache/ruleUsages.ts';
import type { CacheStore } from '../../../../gateway/cache/store/cacheStore.ts';
import { MemoryStore } from '../../../../gateway/cache/store/memoryStore.ts';
import { GatewayError } from '../../../../gateway/errors.ts';
import {
  type FetchCall,
  type FetchError,
  type FetchResult,
  toFailedResult,
  toFetchResult,
} from '../../../../gateway/execution/fetchCall.ts';
import type { EntityRequest, FetchSender, RootRequest } from '../../../../gateway/execution/fetchSender.ts';
import type { FetchShape } from '../../../../gateway/execution/fetchShape.ts';
import type { LatencyBudget } from '../../../../gateway/execution/latencyBudget.ts';
import type { RequestContext } from '../../../../gateway/execution/requestContext.ts';
import type { CallPriority } from '../../../../gateway/subgraphs/policies/callPriority.ts';
import { systemTimers } from '../../../../gateway/time/timers.ts';
import { entityShape } from '../../../harness/cachedSubgraphs.ts';
import { createRequestContext, createScheduledStep } from '../../../harness/fetchNodes.ts';
import { ObservedFetchCache } from './observedFetchCache.ts';
import { silentObserver } from './silentObserver.ts';

interface Headers {
  readonly cacheControl?: string;
  readonly age?: string;
  readonly extensions?: Record<string, unknown>;
}

/** One call to the subgraph. */
export class RecordedCall {
  readonly call: FetchCall;
  isCancelled = false;
  readonly #done: () => void;

  constructor(call: FetchCall, done: () => void) {
    this.call = call;
    this.#done = done;
  }

  /** The requested items: ids of entities, or response names. */
  get requestedItems(): readonly string[] {
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
    this.call.settle(toFetchResult(response, data, errors), this.#done);
  }

  fail(error = new GatewayError('SUBGRAPH_UNREACHABLE', 'gone', { subgraph: 'products' })): void {
    this.call.settle(toFailedResult(error), this.#done);
  }
}

/** Records calls in place of the subgraphs. */
class FakeSubgraphs implements FetchSender {
  readonly calls: RecordedCall[] = [];

  sendEntities({ calls, onDone }: EntityRequest): () => void {
    return this.#take(calls, onDone);
  }

  sendRoot({ call, onDone }: RootRequest): () => void {
    return this.#take([call], onDone);
  }

  #take(calls: readonly FetchCall[], done: () => void): () => void {
    const taken = calls.map((call) => new RecordedCall(call, done));
    this.calls.push(...taken);
    return () => {
      for (const one of taken) one.isCancelled = true;
    };
  }
}

export interface CachedFetchesFixture {
  readonly fetches: FetchSender;
  readonly subgraphs: FakeSubgraphs;
  readonly store: CacheStore;
  readonly cache: ObservedFetchCache;
  readonly clock: { now: number };
  /** `subgraph: coordinates: reason`, as logged. */
  readonly notStored: string[];
  /** Sends an entity fetch, or a root fetch if `ids` is omitted. */
  fetch(
    shape: FetchShape,
    ids?: readonly string[],
    scope?: RequestContext,
    budget?: LatencyBudget,
    priority?: CallPriority,
  ): FetchHandle;
}

interface FetchHandle {
  /** The result of the call; `undefined` before it is settled. */
  readonly result: FetchResult | undefined;
  readonly data: unknown;
  readonly isDone: boolean;
  cancel(): void;
}

interface CachedFetchesFixtureOptions extends Partial<FetchCacheOptions> {
  readonly subgraphs?: FakeSubgraphs;
}

export function createCachedFetchesFixture(
  rules: CacheRules,
  { subgraphs = new FakeSubgraphs(), ...options }: CachedFetchesFixtureOptions = {},
): CachedFetchesFixture {
  const clock = { now: 1_000_000 };
  const now = (): number => clock.now;
  const notStored: string[] = [];
  const cache = new ObservedFetchCache({
    store: new MemoryStore({ maxSize: 1_000_000, now }),
    observer: silentObserver,
    nullMaxAgeMs: 5_000,
    tagLimits: { count: 10, length: 100 },
    maxEntrySize: 10_000,
    ignoredHeaders: new Set(),
    headerNames: () => ['authorization'],
    refreshTimeoutMs: () => 10_000,
    ignoresNoStore: () => false,
    onFault: (fault) => {
      throw fault;
    },
    now,
    timers: systemTimers,
    ...options,
  });
  const log = pino(
    { level: 'warn', base: null },
    {
      write(line) {
        const { subgraph, fields, reason } = JSON.parse(line);
        notStored.push(`${subgraph}: ${fields.join(', ')}: ${reason}`);
      },
    },
  );
  const plans = new CachePlans(rules, new RuleUsages({ log, now }));
  const fetches = new CachingFetchSender({ next: subgraphs, plans, cache });
  return {
    fetches,
    subgraphs,
    store: cache.store,
    cache,
    clock,
    notStored,
    fetch(shape, ids, scope = createRequestContext(), budget = undefined, priority = 'primary') {
      let result: FetchResult | undefined;
      let isDone = false;
      const call: FetchCall = {
        shape,
        requestContext: scope,
        group: 0,
        priority,
        budget,
        isBelowRoot: false,
        representations: (ids ?? []).map((id) => `{"__typename":"Product","id":"${id}"}`),
        contextVariables: undefined,
        step: createScheduledStep(),
        settle: (settled, done) => {
          result = settled;
          done();
        },
      };
      const done = (): void => {
        isDone = true;
      };
      const cancel = shape.isEntityFetch
        ? fetches.sendEntities({ calls: [call], requestContext: scope, onDone: done })
        : fetches.sendRoot({ call, onDone: done });
      return {
        get result() {
          return result;
        },
        get data() {
          return result?.kind === 'completed' ? result.data : undefined;
        },
        get isDone() {
          return isDone;
        },
        cancel,
      };
    },
  };
}

/** Products with these names, as a subgraph returns them. */
export const named = (...list: string[]): { name: string }[] => list.map((name) => ({ name }));

/** The call to the subgraph with this index.
 *  @throws {Error} when there was none. */
export function callAt({ subgraphs: { calls } }: CachedFetchesFixture, index: number): RecordedCall {
  const call = calls[index];
  if (call === undefined) throw new Error(`The subgraph was requested ${calls.length} times.`);
  return call;
}

/** Names of products. */
export const names = entityShape('products', '... on Product { name }');

/** Stores products under these ids. */
export function fill(fixture: CachedFetchesFixture, ...ids: string[]): void {
  const from = fixture.subgraphs.calls.length;
  fixture.fetch(names, ids);
  callAt(fixture, from).answer(named(...ids.map((id) => `name of ${id}`)));
}

/** `code`: in the `extensions` of the error. */
export const error = (message: string, at: Partial<FetchError> = {}, code?: string): FetchError => ({
  entry: { message, ...(code === undefined ? {} : { extensions: { code } }) },
  entityIndex: undefined,
  path: [],
  ...at,
});
