import type { CacheAnswers } from '../cache/store/cacheStore.ts';
import { GatewayError } from '../errors.ts';
import { afterAll } from '../execution/afterAll.ts';
import type { FetchCall } from '../execution/fetchCall.ts';
import type { FetchSender } from '../execution/fetchSender.ts';
import type { RequestScope } from '../execution/requestScope.ts';
import { inSlices, type SlicedWork } from '../time/inSlices.ts';
import { CachedCall, type Place } from './cachedCall.ts';
import type { CacheUnit, CallUnits } from './cacheUnits.ts';
import { isFresh, readEither } from './entryReading.ts';
import type { FetchCache } from './fetchCache.ts';
import { MissingUnits } from './missingUnits.ts';
import { refresh } from './refresh.ts';

export interface CachedRequestOptions {
  readonly cache: FetchCache;
  /** Asks the subgraphs. */
  readonly next: FetchSender;
  readonly scope: RequestScope;
  /** Calls of which something may be kept. */
  readonly calls: readonly CallUnits[];
  /** Calls that go to the subgraph as they are, with the others where that costs no time. */
  readonly plain: readonly FetchCall[];
  done(): void;
}

/** What is asked of the store: keys, and whose they are. */
interface Lookup {
  readonly keys: readonly string[];
  readonly calls: readonly { readonly call: CachedCall; readonly units: readonly LookedUp[] }[];
}

interface LookedUp {
  readonly place: number;
  readonly unit: CacheUnit;
  /** Its second key follows the first. */
  readonly hasPrivateKey: boolean;
}

/** Calls of one operation to one subgraph that were ready at the same moment: what is kept answers, the rest is
 *  asked for. */
export class CachedRequest {
  readonly #cache: FetchCache;
  readonly #next: FetchSender;
  readonly #scope: RequestScope;
  readonly #calls: readonly CachedCall[];
  readonly #done: () => void;
  #plain: readonly FetchCall[];
  #missing: MissingUnits | undefined;
  #stopWork: (() => void) | undefined;
  #isCancelled = false;

  constructor({ cache, next, scope, calls, plain, done }: CachedRequestOptions) {
    this.#cache = cache;
    this.#next = next;
    this.#scope = scope;
    const doneOne = afterAll(calls.length + plain.length, done);
    this.#done = doneOne;
    this.#calls = calls.map((units) => new CachedCall(cache, units, doneOne));
    this.#plain = plain.length === 0 ? plain : plain.map((call) => this.#watch(call));
  }

  start(): () => void {
    this.#run(this.#lookUp(), (lookup) => {
      const answers = this.#cache.store.getMany(lookup.keys);
      if (!(answers instanceof Promise)) {
        this.#take(lookup, answers, 0);
        return;
      }
      const startedAt = performance.now();
      this.#sendPlain();
      void answers.then((entries) => {
        if (!this.#isCancelled) this.#take(lookup, entries, performance.now() - startedAt);
      });
    });
    return () => this.#cancel();
  }

  *#lookUp(): SlicedWork<Lookup> {
    const keys: string[] = [];
    const calls: Lookup['calls'][number][] = [];
    let seen = 0;
    for (const call of this.#calls) {
      const units: LookedUp[] = [];
      for (const [place, unit] of call.units.units.entries()) {
        if (unit === undefined) continue;
        if (++seen % unitsPerPause === 0) yield;
        const { privateKey } = unit;
        keys.push(unit.key);
        if (privateKey !== undefined) keys.push(privateKey);
        units.push({ place, unit, hasPrivateKey: privateKey !== undefined });
      }
      calls.push({ call, units });
    }
    return { keys, calls };
  }

  #take(lookup: Lookup, entries: CacheAnswers, durationMs: number): void {
    this.#run(this.#resolve(lookup, entries, durationMs), (missing) => {
      if (missing.length > 0 || this.#plain.length > 0) this.#fetch(missing);
      for (const call of this.#calls) call.settleWithinBudget();
    });
  }

  /** Gives units what is kept of them, and has refreshed what is stale. Returns the others. */
  *#resolve(lookup: Lookup, entries: CacheAnswers, durationMs: number): SlicedWork<readonly Place[]> {
    const { options } = this.#cache;
    const now = options.now();
    let index = 0;
    let seen = 0;
    const missing: Place[] = [];
    for (const { call, units } of lookup.calls) {
      let [hits, misses] = [0, 0];
      const stale: number[] = [];
      for (const { place, unit, hasPrivateKey } of units) {
        if (++seen % unitsPerPause === 0) yield;
        const found = entries[index++];
        const foundPrivate = hasPrivateKey ? entries[index++] : undefined;
        const reading = readEither(unit.plan.rule, found, foundPrivate, now);
        if (reading !== undefined && isFresh(reading, now)) {
          hits += 1;
          call.resolve(place, { kind: 'entry', reading, reason: undefined });
        } else if (reading !== undefined && now < reading.revalidateUntil) {
          stale.push(place);
          call.resolve(place, { kind: 'entry', reading, reason: 'revalidating' });
        } else {
          misses += 1;
          if (reading !== undefined && now < reading.fallbackUntil) call.fallbacks[place] = reading;
        }
      }
      const type = units[0]?.unit.type ?? '';
      const { subgraph } = call.call.shape;
      options.observer.onLookup({ subgraph, type, hits, stale: stale.length, misses, durationMs });
      if (stale.length > 0) refresh(this.#cache, this.#next, call.units, stale);
      for (const place of call.openPlaces()) missing.push({ call, place });
    }
    return missing;
  }

  #fetch(missing: readonly Place[]): void {
    const plain = this.#plain;
    this.#plain = [];
    this.#fetches.start(missing, plain);
  }

  /** Without those that may be kept: these wait for the store. */
  #sendPlain(): void {
    const plain = this.#plain;
    this.#plain = [];
    if (plain.length > 0) this.#fetches.sendPlain(plain);
  }

  get #fetches(): MissingUnits {
    this.#missing ??= new MissingUnits({
      cache: this.#cache,
      next: this.#next,
      scope: this.#scope,
      calls: this.#calls,
    });
    return this.#missing;
  }

  /** A plain call that is counted, and not settled any more once the request was cancelled. */
  #watch(call: FetchCall): FetchCall {
    return {
      ...call,
      settle: (result, settled) => {
        if (this.#isCancelled) {
          settled();
          return;
        }
        call.settle(result, () => {
          settled();
          this.#done();
        });
      },
    };
  }

  #run<Result>(work: SlicedWork<Result>, done: (result: Result) => void): void {
    this.#stopWork = inSlices(work, done, (fault) => {
      this.#cache.options.onFault(fault);
      const error = new GatewayError('INTERNAL_SERVER_ERROR', 'Internal server error', { cause: fault });
      for (const call of this.#calls) {
        for (const place of call.openPlaces()) call.resolve(place, { kind: 'failed', error });
        call.settleIfResolved();
      }
      this.#sendPlain();
    });
  }

  #cancel(): void {
    if (this.#isCancelled) return;
    this.#isCancelled = true;
    this.#stopWork?.();
    for (const call of this.#calls) call.cancel();
    this.#missing?.cancel();
  }
}

/** Long lists pause after so many. */
const unitsPerPause = 100;
