import { describe, expect, test } from '@jest/globals';
import type { CacheEntry, CacheStore } from '../../../../gateway/cache/store/cacheStore.ts';
import { MemoryStore } from '../../../../gateway/cache/store/memoryStore.ts';
import type { FetchSpan } from '../../../../gateway/telemetry/fetchSpan.ts';
import { readRulesOf } from '../../../harness/cachedSubgraphs.ts';
import { FakeTimers } from '../../../harness/fakeTimers.ts';
import { createFetchCall, createRequestContext } from '../../../harness/fetchNodes.ts';
import { waitForTurns } from '../../../harness/waitForTurns.ts';
import {
  type CachedFetchesFixture,
  createCachedFetchesFixture,
  error,
  named,
  names,
  type RecordedCall,
} from './cachedFetchesFixture.ts';
import { silentObserver } from './silentObserver.ts';

const { rules } = await readRulesOf({
  products: `
    type Query { hits: Int }
    type Product @key(fields: "id") @cached(maxAge: "10s", staleWhileRevalidate: "20s") { id: ID!, name: String }
  `,
});

interface Wait {
  readonly key: string;
  readonly maxMs: number;
  readonly signal: AbortSignal;
  /** Ends the wait: with the entry of the process that has the claim, or without one. */
  end(entry?: CacheEntry): void;
}

/** A cache in memory whose claims the test grants, and whose waits for other processes the test ends. */
function open() {
  const clock = { now: 1_000_000 };
  const timers = new FakeTimers();
  const now = () => clock.now;
  /** Whether each key of the next claims is granted. Further keys are. */
  const grants: boolean[] = [];
  const released: (readonly [keys: number, afterMs: number])[] = [];
  const waits: Wait[] = [];
  const outcomes: string[] = [];
  const store: CacheStore = Object.assign(new MemoryStore({ maxSize: 1_000_000, now }) as CacheStore, {
    claim: async (keys: readonly string[]) => keys.map(() => grants.shift() ?? true),
    release: (keys: readonly string[], afterMs: number) => released.push([keys.length, afterMs]),
    awaitClaimHolder: (key: string, maxMs: number, signal: AbortSignal) =>
      new Promise<CacheEntry | undefined>((end) => waits.push({ key, maxMs, signal, end })),
  });
  const observer = {
    ...silentObserver,
    onRefresh: ({ outcome }: { outcome: string }) => outcomes.push(outcome),
  };
  const onFault = (): void => {};
  const fixture = createCachedFetchesFixture(rules, { store, now, timers, observer, onFault });
  return { ...fixture, clock, timers, grants, released, waits, outcomes };
}

/** What each call to the subgraph has fetched. */
const requested = ({ subgraphs }: Pick<CachedFetchesFixture, 'subgraphs'>) =>
  subgraphs.calls.map((call) => call.requestedItems.join());

function entryOf(value: unknown, now: number): CacheEntry {
  const times = { staleWhileRevalidateUntil: now, staleIfErrorUntil: now };
  return { value: JSON.stringify(value), storedAt: now, freshUntil: now + 10_000, tags: [], ...times };
}

describe('A missing value that another process has claimed', () => {
  test('is not fetched; the entry of that process answers, and its claim is not released', async () => {
    const opened = open();
    const { store, subgraphs, clock, grants, waits, released } = opened;
    grants.push(true, false);
    const limited = { deadlineFor: () => performance.now() + 1_000 };
    const scope = Object.assign(createRequestContext(), limited);
    const request = opened.fetch(names, ['1', '2'], scope);
    await waitForTurns();
    expect(requested(opened)).toEqual(['1']);
    // A request of this process joins the wait.
    const joiner = opened.fetch(names, ['2']);
    await waitForTurns();
    expect(waits.length).toBe(1);
    // Half of the time is left for an attempt of this process.
    expect(waits[0]?.maxMs).toBeLessThanOrEqual(500);
    subgraphs.calls[0]?.answer(named('own'));
    await waitForTurns();
    expect([request.result, joiner.result, released]).toEqual([undefined, undefined, [[1, 0]]]);
    const { key = '', end } = waits[0] ?? { end: () => {} };
    const entry = entryOf({ name: 'of another process' }, clock.now);
    store.setMany([{ key, ...entry }], store.beginRead());
    end(entry);
    await waitForTurns();
    expect([request.data, joiner.data]).toEqual([
      named('own', 'of another process'),
      named('of another process'),
    ]);
    expect([requested(opened), released]).toEqual([['1'], [[1, 0]]]);
  });

  test('is awaited in the span of the fetch', async () => {
    const opened = open();
    const joined: unknown[] = [];
    const span = {
      onLookup: () => {},
      onJoin: (leader: unknown) => joined.push({ leader }),
    } as unknown as FetchSpan;
    const requestContext = createRequestContext();
    opened.grants.push(false);
    const call = { ...createFetchCall(['1'], { shape: names }), span };
    opened.fetches.sendEntities({ calls: [call], requestContext, onDone: () => {} });
    await waitForTurns();
    // The span of another process is not known here.
    expect(joined).toEqual([{ leader: undefined }]);
    opened.waits[0]?.end();
  });

  test('is fetched if that process stores none, and its claim is not released', async () => {
    const opened = open();
    const { subgraphs, grants, waits, released } = opened;
    grants.push(false);
    const request = opened.fetch(names, ['1']);
    await waitForTurns();
    waits[0]?.end();
    await waitForTurns();
    expect(requested(opened)).toEqual(['1']);
    subgraphs.calls[0]?.answer(named('own'));
    await waitForTurns();
    expect([request.data, released]).toEqual([named('own'), []]);
  });

  test('is fetched if the entry of that process has expired meanwhile', async () => {
    const opened = open();
    const { clock, grants, waits } = opened;
    grants.push(false);
    opened.fetch(names, ['1']);
    await waitForTurns();
    const entry = entryOf({ name: 'old' }, clock.now);
    clock.now += 10_000;
    waits[0]?.end(entry);
    await waitForTurns();
    expect(requested(opened)).toEqual(['1']);
  });

  test('is not fetched for a request that was cancelled during the wait', async () => {
    const opened = open();
    const { grants, waits, released } = opened;
    grants.push(false);
    const request = opened.fetch(names, ['1']);
    await waitForTurns();
    request.cancel();
    expect(waits[0]?.signal.aborted).toBe(true);
    waits[0]?.end();
    await waitForTurns();
    expect([requested(opened), released]).toEqual([[], []]);
  });

  test('is awaited for the requests that joined a cancelled one, whose other fetches are cancelled after it', async () => {
    const opened = open();
    const { store, subgraphs, clock, grants, waits } = opened;
    grants.push(true, false);
    const request = opened.fetch(names, ['1', '2']);
    await waitForTurns();
    const joiner = opened.fetch(names, ['2']);
    await waitForTurns();
    request.cancel();
    expect([waits[0]?.signal.aborted, subgraphs.calls[0]?.isCancelled]).toEqual([false, false]);
    const { key = '', end } = waits[0] ?? { end: () => {} };
    const entry = entryOf({ name: 'of another process' }, clock.now);
    store.setMany([{ key, ...entry }], store.beginRead());
    end(entry);
    await waitForTurns();
    expect([joiner.data, subgraphs.calls[0]?.isCancelled]).toEqual([named('of another process'), true]);
  });

  test.each([true, false])(
    'is no longer awaited when the only other fetch of a cancelled request has ended (with an answer: %s)',
    async (isAnswered) => {
      const opened = open();
      const { subgraphs, grants, waits } = opened;
      grants.push(true, false);
      const request = opened.fetch(names, ['1', '2']);
      await waitForTurns();
      const joiner = opened.fetch(names, ['1']);
      await waitForTurns();
      request.cancel();
      expect(waits[0]?.signal.aborted).toBe(false);
      if (isAnswered) subgraphs.calls[0]?.answer(named('own'));
      else subgraphs.calls[0]?.fail();
      await waitForTurns();
      expect([joiner.isDone, waits[0]?.signal.aborted]).toEqual([true, true]);
    },
  );
});

describe('A refresh', () => {
  async function openStale(...ids: string[]) {
    const opened = open();
    const first = opened.fetch(names, ids);
    // On a busy machine, the slices of many values take several turns.
    while (opened.subgraphs.calls.length === 0) await waitForTurns();
    opened.subgraphs.calls[0]?.answer(named(...ids));
    while (!first.isDone) await waitForTurns();
    opened.clock.now += 11_000;
    opened.released.length = 0;
    const { call } = opened.subgraphs.calls.splice(0)[0] as RecordedCall;
    return { ...opened, first: call };
  }

  test('fetches the values that no other process has claimed, and leaves the others alone for a while', async () => {
    const opened = await openStale('1', '2');
    const { subgraphs, outcomes, timers, grants, released } = opened;
    grants.push(false, true);
    expect(opened.fetch(names, ['1', '2']).data).toEqual(named('1', '2'));
    await waitForTurns();
    expect([requested(opened), outcomes]).toEqual([['2'], ['claimed elsewhere']]);
    subgraphs.calls[0]?.answer(named('new'));
    await waitForTurns();
    expect([outcomes, released]).toEqual([['claimed elsewhere', 'stored'], [[1, 0]]]);
    opened.fetch(names, ['1']);
    await waitForTurns();
    expect(requested(opened)).toEqual(['2']);
    timers.advance(1_000);
    opened.fetch(names, ['1']);
    await waitForTurns();
    expect(requested(opened)).toEqual(['2', '1']);
  });

  test('that fails pauses its claims', async () => {
    const opened = await openStale('1', '2');
    const { subgraphs, outcomes, released } = opened;
    opened.fetch(names, ['1', '2']);
    await waitForTurns();
    subgraphs.calls[0]?.fail();
    await waitForTurns();
    expect([outcomes, released]).toEqual([['failed', 'failed'], [[2, 1_000]]]);
  });

  test('releases the claims of many values in few commands', async () => {
    const ids = Array.from({ length: 250 }, (_, index) => `${index}`);
    const opened = await openStale(...ids);
    const { subgraphs, outcomes, released } = opened;
    opened.fetch(names, ids);
    while (subgraphs.calls.length === 0) await waitForTurns();
    const broken = error('broken', { entityIndex: 249 });
    subgraphs.calls[0]?.answer([...named(...ids.slice(1)), null], {}, [broken]);
    while (outcomes.length < ids.length) await waitForTurns();
    expect(outcomes.indexOf('not stored')).toBe(249);
    expect(released).toEqual([
      [100, 0],
      [100, 0],
      [49, 0],
      [1, 1_000],
    ]);
  });

  test('that ends with a fault after some of its values fails only for the others', async () => {
    const ids = Array.from({ length: 150 }, (_, index) => `${index}`);
    const opened = await openStale(...ids);
    const { subgraphs, outcomes, store, released } = opened;
    const release = store.release.bind(store);
    const failOnce: typeof release = (keys, afterMs) => {
      if (released.length === 1) {
        store.release = release;
        throw new RangeError('Invalid string length');
      }
      release(keys, afterMs);
    };
    store.release = failOnce;
    opened.fetch(names, ids);
    while (subgraphs.calls.length === 0) await waitForTurns();
    subgraphs.calls[0]?.answer(named(...ids));
    while (outcomes.length < ids.length) await waitForTurns();
    expect(Map.groupBy(outcomes, (outcome) => outcome).get('failed')).toHaveLength(50);
    expect([outcomes.length, released]).toEqual([
      150,
      [
        [100, 0],
        [50, 1_000],
      ],
    ]);
  });

  test('of values that other processes have claimed has a span that ends at once', async () => {
    const opened = await openStale('1');
    const events: unknown[] = [];
    const end = (code?: string): void => void events.push(['end', code]);
    const startRefresh = (attributes: object) => {
      events.push(attributes);
      return { end };
    };
    opened.grants.push(false);
    const { requestContext } = opened.first;
    const span = { onLookup: () => {}, startRefresh } as unknown as FetchSpan;
    const call = { ...opened.first, span, settle: () => {} };
    opened.fetches.sendEntities({ calls: [call], requestContext, onDone: () => {} });
    await waitForTurns();
    expect(events).toStrictEqual([
      { 'tributary.subgraph': 'products', 'tributary.representations': 1 },
      ['end', undefined],
    ]);
  });
});
