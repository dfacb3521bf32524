import type { CacheStore } from '../../../gateway/cache/store/cacheStore.ts';
import { MemoryStore } from '../../../gateway/cache/store/memoryStore.ts';
import { entityTag, ownTag, subgraphTag, typeTag } from '../../../gateway/cache/tags/tagNames.ts';
import { CachedFetches } from '../../../gateway/cached-fetches/cachedFetches.ts';
import { CachePlans } from '../../../gateway/cached-fetches/cachePlans.ts';
import { FetchCache } from '../../../gateway/cached-fetches/fetchCache.ts';
import { Budget } from '../../../gateway/execution/budget.ts';
import type { FetchCall, FetchResult } from '../../../gateway/execution/fetchCall.ts';
import type { FetchShape } from '../../../gateway/execution/fetchShape.ts';
import type { RequestScope } from '../../../gateway/execution/requestScope.ts';
import { SubgraphFetches } from '../../../gateway/execution/subgraphFetches.ts';
import { turns } from '../../harness/clock.ts';
import { scopeOf } from '../execution/fetches.ts';
import { ManualClock } from '../subgraph-client/manualClock.ts';
import { rules, sayings } from './modelLifetimes.ts';
import { failures, roots, type Step, shapes } from './modelSteps.ts';
import { ModelSubgraph, plainManner } from './modelSubgraph.ts';
import { SharedEntries, SharedStore } from './sharedStore.ts';
import { silentObserver } from './silentObserver.ts';

export interface Invalidation {
  readonly begunTick: number;
  endedTick: number;
  covers(unit: string): boolean;
}

/** One call of a request, and what it was settled with. */
export interface AskedRequestCall {
  /** By place, or by response name. */
  readonly units: ReadonlyMap<number | string, string>;
  /** Response names of an entity's fields. */
  readonly keys: readonly string[];
  readonly isEntityFetch: boolean;
  results: { readonly result: FetchResult; readonly at: number; readonly tick: number }[];
}

export interface AskedRequest {
  readonly who: string | undefined;
  readonly startTick: number;
  readonly startedAt: number;
  readonly calls: readonly AskedRequestCall[];
  readonly leftMs: number;
  readonly budget: Budget | undefined;
  /** Infinite where there is no budget. */
  overTick: number;
  cancelledTick: number;
  dones: number;
  cancel(): void;
}

export interface Setup {
  readonly shares: boolean;
  readonly processes: number;
}

/** Cached fetches of one or two processes, with a subgraph and a clock that wait for steps. Whatever happens is
 *  written down. */
export class ModelRun {
  readonly clock = new ManualClock();
  readonly subgraph: ModelSubgraph;
  readonly asked: AskedRequest[] = [];
  readonly invalidations: Invalidation[] = [];
  readonly caches: FetchCache[];
  readonly faults: string[] = [];
  readonly #fetches: CachedFetches[];
  readonly setup: Setup;
  readonly shared: SharedEntries;
  #ticks = 0;

  constructor(setup: Setup) {
    this.setup = setup;
    const { clock } = this;
    const timers = { after: (ms: number, run: () => void) => clock.setTimer(run, ms) };
    this.subgraph = new ModelSubgraph({ time: { now: clock.now, tick: this.tick }, shares: setup.shares });
    this.shared = new SharedEntries(clock.now, timers);
    const storeOf = (process: number): CacheStore =>
      setup.processes === 1
        ? new MemoryStore({ maxSize: 10_000_000, now: clock.now })
        : new SharedStore(this.shared, process);
    this.caches = Array.from(
      { length: setup.processes },
      (_, process) =>
        new FetchCache({
          store: storeOf(process),
          observer: silentObserver,
          nullMaxAgeMs: 5_000,
          tagLimits: { count: 10, length: 100 },
          maxEntrySize: 10_000,
          ignoredHeaders: new Set(['x-user-id']),
          headerNames: () => ['x-user-id'],
          refreshDeadlineMs: () => 10_000,
          refreshPauseMs: 1_000,
          onMistake: () => undefined,
          onFault: (fault) => this.faults.push(String(fault)),
          now: clock.now,
          timers,
        }),
    );
    this.#fetches = this.caches.map(
      (cache) =>
        new CachedFetches({
          next: new SubgraphFetches(this.subgraph, { acrossRequests: setup.shares, maxBatchSize: 3 }),
          plans: new CachePlans(rules),
          cache,
        }),
    );
  }

  readonly tick = (): number => ++this.#ticks;

  async take(step: Step): Promise<void> {
    const { open } = this.subgraph;
    if (step.do === 'entities') {
      this.#ask(
        step.calls.map((call) => ({
          shape: shapes[call.name].shape,
          units: call.ids.map((id, place): [number, string] => [place, `${shapes[call.name].type}:${id}`]),
        })),
        step,
      );
    } else if (step.do === 'root') {
      const shape = roots[step.name];
      const units = shape.document.selectionSet.selections.flatMap((field): [string, string][] =>
        field.kind === 'Field' ? [[field.alias?.value ?? field.name.value, `Query.${field.name.value}`]] : [],
      );
      this.#ask([{ shape, units }], step);
    } else if (step.do === 'answer') {
      const { cacheControl, age } = sayings[step.manner.saying] ?? {};
      open[step.which % open.length]?.answer({ ...step.manner, cacheControl, age });
    } else if (step.do === 'fail')
      open[step.which % open.length]?.fail(failures[step.by], step.by !== 'refused');
    else if (step.do === 'cancel') {
      const one = this.asked[step.which % this.asked.length];
      if (one === undefined || one.dones > 0) return;
      if (one.cancelledTick === Number.POSITIVE_INFINITY) one.cancelledTick = this.tick();
      one.cancel();
    } else if (step.do === 'end budget') {
      const running = this.asked.filter(({ budget }) => budget?.isOver === false);
      this.#endBudget(running[step.which % running.length]);
    } else if (step.do === 'invalidate') this.#invalidate(step);
    else if (step.do === 'pass') this.clock.advance(step.ms);
    else if (step.microtasks === 6) await turns(2);
    else for (let turn = 0; turn < step.microtasks; turn++) await null;
  }

  #endBudget(asked: AskedRequest | undefined): void {
    if (asked === undefined) return;
    asked.overTick = this.tick();
    asked.budget?.end();
  }

  /** Answers everything that is left. */
  async end(): Promise<void> {
    for (let round = 0; round < 200; round++) {
      for (const call of this.subgraph.open) call.answer(plainManner);
      await turns(3);
      if (this.subgraph.open.length > 0) continue;
      if (this.#isAllOver()) return;
      this.clock.advance(250);
    }
  }

  #isAllOver(): boolean {
    return (
      this.asked.every(({ dones, cancelledTick }) => dones > 0 || cancelledTick < Number.POSITIVE_INFINITY) &&
      this.caches.every(({ flights }) => flights.size === 0)
    );
  }

  #invalidate({ by, id, process }: Extract<Step, { do: 'invalidate' }>): void {
    const tags = {
      entity: entityTag('Product', { id }),
      type: typeTag('User'),
      subgraph: subgraphTag('products'),
      tag: ownTag('news'),
    };
    const covers = {
      entity: (unit: string) => unit === `Product:${id}`,
      type: (unit: string) => unit.startsWith('User:'),
      subgraph: () => true,
      tag: (unit: string) => unit === 'Query.news',
    };
    const begun: Invalidation = {
      begunTick: this.tick(),
      endedTick: Number.POSITIVE_INFINITY,
      covers: covers[by],
    };
    this.invalidations.push(begun);
    const { store } = this.caches[process % this.caches.length] as FetchCache;
    void store.deleteByTags([tags[by]]).then(() => {
      begun.endedTick = this.tick();
    });
  }

  #ask(
    calls: readonly { readonly shape: FetchShape; readonly units: readonly [number | string, string][] }[],
    { who, leftMs, budget, process }: Extract<Step, { do: 'root' | 'entities' }>,
  ): void {
    const deadline = performance.now() + leftMs;
    const scope: RequestScope = scopeOf({
      identity: who,
      deadline,
      deadlineFor: () => deadline,
      headersFor: () => ({ key: who ?? '', pairs: who === undefined ? [] : ['x-user-id', who] }),
    });
    const asked: AskedRequest = {
      who,
      leftMs,
      budget: budget === 'none' ? undefined : new Budget(),
      overTick: Number.POSITIVE_INFINITY,
      startTick: this.tick(),
      startedAt: this.clock.now(),
      calls: calls.map(({ shape, units }) => ({
        units: new Map(units),
        keys: shape.isEntityFetch ? shape.keys : [],
        isEntityFetch: shape.isEntityFetch,
        results: [],
      })),
      cancelledTick: Number.POSITIVE_INFINITY,
      dones: 0,
      cancel: () => undefined,
    };
    this.asked.push(asked);
    if (budget === 'over') this.#endBudget(asked);
    const sent = calls.map(
      ({ shape, units }, index): FetchCall => ({
        shape,
        scope,
        group: 0,
        priority: 'primary',
        budget: asked.budget,
        isBelowRoot: false,
        contextVariables: undefined,
        representations: shape.isEntityFetch
          ? units.map(([, unit]) => {
              const [type, id] = unit.split(':');
              return `{"__typename":"${type}","id":"${id}"}`;
            })
          : [],
        settle: (result, done) => {
          const copy = result.kind === 'failed' ? result : { ...result, data: structuredClone(result.data) };
          asked.calls[index]?.results.push({ result: copy, at: this.clock.now(), tick: this.tick() });
          // Whoever gets an answer writes into it.
          if (result.kind === 'answered') spoil(result.data);
          done();
        },
      }),
    );
    const done = (): void => {
      asked.dones += 1;
    };
    const fetches = this.#fetches[process % this.#fetches.length] as CachedFetches;
    const [first] = sent;
    if (first === undefined) return;
    asked.cancel = first.shape.isEntityFetch
      ? fetches.sendEntities({ calls: sent, scope, done })
      : fetches.sendRoot({ call: first, done });
  }
}

function spoil(data: unknown): void {
  for (const value of Object.values(data ?? {}))
    if (typeof value === 'object' && value !== null) value.name = 'spoilt';
}
