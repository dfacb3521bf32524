import { pino } from 'pino';
import { CachePlans } from '../../../../gateway/cache/fetches/cachePlans.ts';
import { CachingFetchSender } from '../../../../gateway/cache/fetches/cachingFetchSender.ts';
import { RuleUsages } from '../../../../gateway/cache/ruleUsages.ts';
import type { CacheStore } from '../../../../gateway/cache/store/cacheStore.ts';
import { MemoryStore } from '../../../../gateway/cache/store/memoryStore.ts';
import { customTag, subgraphTag, typeTag } from '../../../../gateway/cache/tags/tagNames.ts';
import type { FetchCall, FetchResult } from '../../../../gateway/execution/fetchCall.ts';
import type { FetchShape } from '../../../../gateway/execution/fetchShape.ts';
import { LatencyBudget } from '../../../../gateway/execution/latencyBudget.ts';
import type { RequestContext } from '../../../../gateway/execution/requestContext.ts';
import { SubgraphFetchSender } from '../../../../gateway/execution/subgraphFetchSender.ts';
import { entityTag } from '../../../harness/entityTag.ts';
import { FakeTimers } from '../../../harness/fakeTimers.ts';
import { createRequestContext, createScheduledStep } from '../../../harness/fetchNodes.ts';
import { waitForTurns } from '../../../harness/waitForTurns.ts';
import { declaredRules, headerCases, type ModelRules, stricterRules } from './modelRules.ts';
import { failures, roots, type Step, shapes } from './modelSteps.ts';
import { ModelEntries, ModelStore } from './modelStore.ts';
import { ModelSubgraph, plainAnswerSpec } from './modelSubgraph.ts';
import { ObservedFetchCache } from './observedFetchCache.ts';
import { silentObserver } from './silentObserver.ts';

interface Invalidation {
  readonly startTick: number;
  endTick: number;
  covers(item: string): boolean;
}

/** One call of a request, with its results. */
export interface RequestedCall {
  /** The items by the index of the representation, or by the response name. */
  readonly items: ReadonlyMap<number | string, string>;
  /** The response names of an entity's fields. */
  readonly keys: readonly string[];
  readonly isEntityFetch: boolean;
  results: { readonly result: FetchResult; readonly at: number; readonly tick: number }[];
}

export interface ModelRequest {
  readonly identity: string | undefined;
  readonly process: number;
  readonly startTick: number;
  readonly startedAt: number;
  readonly calls: readonly RequestedCall[];
  readonly remainingMs: number;
  readonly budget: LatencyBudget | undefined;
  /** Infinite without a budget. */
  budgetEndTick: number;
  cancelledTick: number;
  doneCount: number;
  cancel(): void;
}

export interface ModelSetup {
  readonly isSharing: boolean;
  readonly processCount: number;
  /** Whether the second process has a supergraph with stricter rules. */
  readonly hasStricterRules?: boolean;
}

/** Cached fetches of one or two processes, with a subgraph and a clock that the steps drive. Records all events. */
export class ModelRun {
  readonly clock = new FakeTimers();
  readonly subgraph: ModelSubgraph;
  readonly requests: ModelRequest[] = [];
  readonly invalidations: Invalidation[] = [];
  readonly caches: ObservedFetchCache[];
  readonly faults: string[] = [];
  readonly #fetches: CachingFetchSender[];
  readonly setup: ModelSetup;
  readonly shared: ModelEntries;
  #ticks = 0;

  constructor(setup: ModelSetup) {
    this.setup = setup;
    const { clock } = this;
    this.subgraph = new ModelSubgraph({
      time: { now: clock.now, tick: this.tick },
      isSharing: setup.isSharing,
    });
    this.shared = new ModelEntries(clock.now, clock);
    const storeOf = (process: number): CacheStore =>
      setup.processCount === 1
        ? new MemoryStore({ maxSize: 10_000_000, now: clock.now })
        : new ModelStore(this.shared, process);
    this.caches = Array.from(
      { length: setup.processCount },
      (_, process) =>
        new ObservedFetchCache({
          store: storeOf(process),
          observer: silentObserver,
          nullMaxAgeMs: 5_000,
          tagLimits: { count: 10, length: 100 },
          maxEntrySize: 10_000,
          ignoredHeaders: new Set(['x-user-id']),
          headerNames: () => ['x-user-id'],
          refreshTimeoutMs: () => 10_000,
          ignoresNoStore: () => false,
          onFault: (fault) => this.faults.push(String(fault)),
          now: clock.now,
          timers: clock,
        }),
    );
    this.#fetches = this.caches.map(
      (cache, process) =>
        new CachingFetchSender({
          next: new SubgraphFetchSender(this.subgraph.clientOf(process), {
            acrossRequests: setup.isSharing,
            maxBatchSize: 3,
          }),
          plans: new CachePlans(
            this.rulesOf(process).rules,
            new RuleUsages({ log: pino({ level: 'silent' }), now: clock.now }),
          ),
          cache,
        }),
    );
  }

  readonly tick = (): number => ++this.#ticks;

  rulesOf(process: number): ModelRules {
    return process === 1 && this.setup.hasStricterRules === true ? stricterRules : declaredRules;
  }

  async apply(step: Step): Promise<void> {
    const { openCalls } = this.subgraph;
    if (step.do === 'entities') {
      this.#fetch(
        step.calls.map((call) => ({
          shape: shapes[call.name].shape,
          items: call.ids.map((id, index): [number, string] => [index, `${shapes[call.name].type}:${id}`]),
        })),
        step,
      );
    } else if (step.do === 'root') {
      const shape = roots[step.name];
      const items = shape.document.selectionSet.selections.flatMap((field): [string, string][] =>
        field.kind === 'Field' ? [[field.alias?.value ?? field.name.value, `Query.${field.name.value}`]] : [],
      );
      this.#fetch([{ shape, items }], step);
    } else if (step.do === 'answer') {
      const { cacheControl, age } = headerCases[step.answerSpec.headerCase] ?? {};
      openCalls[step.which % openCalls.length]?.answer({ ...step.answerSpec, cacheControl, age });
    } else if (step.do === 'fail')
      openCalls[step.which % openCalls.length]?.fail(failures[step.by], step.by !== 'refused');
    else if (step.do === 'cancel') {
      const request = this.requests[step.which % this.requests.length];
      if (request === undefined || request.doneCount > 0) return;
      if (request.cancelledTick === Number.POSITIVE_INFINITY) request.cancelledTick = this.tick();
      request.cancel();
    } else if (step.do === 'end budget') {
      const running = this.requests.filter(({ budget }) => budget?.isExpired === false);
      this.#endBudget(running[step.which % running.length]);
    } else if (step.do === 'invalidate') this.#invalidate(step);
    else if (step.do === 'pass') this.clock.advance(step.ms);
    else if (step.microtasks === 6) await waitForTurns(2);
    else for (let turn = 0; turn < step.microtasks; turn++) await null;
  }

  #endBudget(request: ModelRequest | undefined): void {
    if (request === undefined) return;
    request.budgetEndTick = this.tick();
    request.budget?.expire();
  }

  /** Answers all open calls. */
  async finish(): Promise<void> {
    for (let round = 0; round < 200; round++) {
      for (const call of this.subgraph.openCalls) call.answer(plainAnswerSpec);
      await waitForTurns(3);
      if (this.subgraph.openCalls.length > 0) continue;
      if (this.#isFinished()) return;
      this.clock.advance(250);
    }
  }

  #isFinished(): boolean {
    return (
      this.requests.every(
        ({ doneCount, cancelledTick }) => doneCount > 0 || cancelledTick < Number.POSITIVE_INFINITY,
      ) && this.caches.every(({ flights }) => flights.size === 0)
    );
  }

  #invalidate({ by, id, process }: Extract<Step, { do: 'invalidate' }>): void {
    const tags = {
      entity: entityTag('Product', { id }),
      type: typeTag('User'),
      subgraph: subgraphTag('products'),
      tag: customTag('news'),
    };
    const covers = {
      entity: (item: string) => item === `Product:${id}`,
      type: (item: string) => item.startsWith('User:'),
      subgraph: () => true,
      tag: (item: string) => item === 'Query.news',
    };
    const invalidation: Invalidation = {
      startTick: this.tick(),
      endTick: Number.POSITIVE_INFINITY,
      covers: covers[by],
    };
    this.invalidations.push(invalidation);
    const { store } = this.caches[process % this.caches.length] as ObservedFetchCache;
    void store.deleteByTags([tags[by]]).then(() => {
      invalidation.endTick = this.tick();
    });
  }

  #fetch(
    calls: readonly { readonly shape: FetchShape; readonly items: readonly [number | string, string][] }[],
    { identity, remainingMs, budget, process }: Extract<Step, { do: 'root' | 'entities' }>,
  ): void {
    const deadline = performance.now() + remainingMs;
    const requestContext: RequestContext = createRequestContext({
      identity,
      deadline,
      deadlineFor: () => deadline,
      headersFor: () => ({
        key: identity ?? '',
        pairs: identity === undefined ? [] : ['x-user-id', identity],
      }),
    });
    const request: ModelRequest = {
      identity,
      process: process % this.#fetches.length,
      remainingMs,
      budget: budget === 'none' ? undefined : new LatencyBudget(),
      budgetEndTick: Number.POSITIVE_INFINITY,
      startTick: this.tick(),
      startedAt: this.clock.now(),
      calls: calls.map(({ shape, items }) => ({
        items: new Map(items),
        keys: shape.isEntityFetch ? shape.keys : [],
        isEntityFetch: shape.isEntityFetch,
        results: [],
      })),
      cancelledTick: Number.POSITIVE_INFINITY,
      doneCount: 0,
      cancel: () => undefined,
    };
    this.requests.push(request);
    if (budget === 'over') this.#endBudget(request);
    const sent = calls.map(
      ({ shape, items }, index): FetchCall => ({
        shape,
        requestContext,
        group: 0,
        priority: 'primary',
        budget: request.budget,
        isBelowRoot: false,
        contextVariables: undefined,
        step: createScheduledStep(),
        representations: shape.isEntityFetch
          ? items.map(([, item]) => {
              const [type, id] = item.split(':');
              return `{"__typename":"${type}","id":"${id}"}`;
            })
          : [],
        settle: (result, done) => {
          const copy = result.kind === 'failed' ? result : { ...result, data: structuredClone(result.data) };
          request.calls[index]?.results.push({ result: copy, at: this.clock.now(), tick: this.tick() });
          // A receiver can modify its answer, which must not change stored values.
          if (result.kind === 'completed') mutateData(result.data);
          done();
        },
      }),
    );
    const done = (): void => {
      request.doneCount += 1;
    };
    const fetches = this.#fetches[request.process] as CachingFetchSender;
    const [first] = sent;
    if (first === undefined) return;
    request.cancel = first.shape.isEntityFetch
      ? fetches.sendEntities({ calls: sent, requestContext, onDone: done })
      : fetches.sendRoot({ call: first, onDone: done });
  }
}

function mutateData(data: unknown): void {
  for (const value of Object.values(data ?? {}))
    if (typeof value === 'object' && value !== null) value.name = 'spoilt';
}
