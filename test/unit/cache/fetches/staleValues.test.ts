import { describe, expect, test } from '@jest/globals';
import type { CacheObserver } from '../../../../gateway/cache/cacheMetrics.ts';
import { GatewayError } from '../../../../gateway/errors.ts';
import type { FetchSpan } from '../../../../gateway/telemetry/fetchSpan.ts';
import { readRulesOf, rootShape } from '../../../harness/cachedSubgraphs.ts';
import { FakeTimers } from '../../../harness/fakeTimers.ts';
import { createRequestContext } from '../../../harness/fetchNodes.ts';
import { waitForTurns } from '../../../harness/waitForTurns.ts';
import { callAt, createCachedFetchesFixture, error, fill, named, names } from './cachedFetchesFixture.ts';
import { silentObserver } from './silentObserver.ts';

const { rules } = await readRulesOf({
  products: `
    type Query { news: String @cached(maxAge: "10s", staleWhileRevalidate: "20s") }
    type Product @key(fields: "id") @cached(maxAge: "10s", staleWhileRevalidate: "20s", staleIfError: "1m") {
      id: ID!
      name: String
    }
  `,
});
const news = rootShape('products', '{ news }');

function ignore(): void {}

describe('Stale values', () => {
  test('are served at once while one refresh runs', async () => {
    const fixture = createCachedFetchesFixture(rules);
    fill(fixture, '1');
    fixture.clock.now += 12_000;
    const request = [1, 2, 3].map(() => fixture.fetch(names, ['1']));
    for (const one of request) {
      expect(one.result).toMatchObject({
        data: named('name of 1'),
        caching: { freshForMs: -2_000 },
        stale: new Map([[0, { ageMs: 12_000, reason: 'revalidating' }]]),
      });
    }
    expect(fixture.subgraphs.calls).toHaveLength(2);
    expect(callAt(fixture, 1).call.group).toBe(1);
    callAt(fixture, 1).answer(named('new'));
    await waitForTurns();
    expect(fixture.fetch(names, ['1']).result).toMatchObject({ data: named('new'), stale: undefined });
    expect(fixture.subgraphs.calls).toHaveLength(2);
  });

  test.each([
    ['an entity', names, ['1'], named('name of 1')],
    ['a root field', news, undefined, { news: 'old' }],
  ])('are refreshed with a deadline of the refresh, for %s', async (_, shape, ids, value) => {
    const fixture = createCachedFetchesFixture(rules);
    fixture.fetch(shape, ids);
    callAt(fixture, 0).answer(value);
    fixture.clock.now += 12_000;
    const deadline = performance.now() + 5;
    fixture.fetch(shape, ids, createRequestContext({ deadline, deadlineFor: () => deadline }));
    await waitForTurns();
    expect(callAt(fixture, 1).call.requestContext.deadlineFor('products')).toBeGreaterThan(deadline + 5_000);
  });

  test('are stale from the moment at which their freshness ends', () => {
    const fixture = createCachedFetchesFixture(rules);
    fill(fixture, '1');
    fixture.clock.now += 10_000;
    expect(fixture.fetch(names, ['1']).result).toMatchObject({ stale: new Map([[0, { ageMs: 10_000 }]]) });
    expect(callAt(fixture, 1).call.group).toBe(1);
  });

  test('have a span for their refresh, with the error code if it fails', () => {
    const fixture = createCachedFetchesFixture(rules);
    fill(fixture, '1');
    fixture.clock.now += 11_000;
    const ends: unknown[] = [];
    const end = (code?: string): void => void ends.push(code);
    const span = { onLookup: ignore, startRefresh: () => ({ end }) } as unknown as FetchSpan;
    const call = { ...callAt(fixture, 0).call, span, settle: ignore };
    const { requestContext } = call;
    const send = () => fixture.fetches.sendEntities({ calls: [call], requestContext, onDone: ignore });
    send();
    callAt(fixture, 1).answer(named('new'));
    fixture.clock.now += 11_000;
    send();
    callAt(fixture, 2).fail();
    expect(ends).toStrictEqual([undefined, 'SUBGRAPH_UNREACHABLE']);
  });

  test.each([
    ['an entity', names, ['1'], named('old'), 1],
    ['a root field', news, undefined, { news: 'old' }, 0],
  ])(
    'have a span with the number of representations of their refresh, for %s',
    (_, shape, ids, value, count) => {
      const fixture = createCachedFetchesFixture(rules);
      fixture.fetch(shape, ids);
      callAt(fixture, 0).answer(value);
      fixture.clock.now += 11_000;
      const started: unknown[] = [];
      const span = {
        onLookup: ignore,
        startRefresh: (at: object) => started.push(at),
      } as unknown as FetchSpan;
      const call = { ...callAt(fixture, 0).call, span, settle: ignore };
      const { requestContext } = call;
      if (shape.isEntityFetch)
        fixture.fetches.sendEntities({ calls: [call], requestContext, onDone: ignore });
      else fixture.fetches.sendRoot({ call, onDone: ignore });
      expect(started).toEqual([{ 'tributary.subgraph': 'products', 'tributary.representations': count }]);
    },
  );

  test('have a failed refresh, which no request joins, after a fault of the gateway', () => {
    const outcomes: string[] = [];
    const observer: CacheObserver = {
      ...silentObserver,
      onStored: () => {
        if (fixture.subgraphs.calls.length > 1) throw new RangeError('Invalid string length');
      },
      onRefresh: ({ outcome }) => outcomes.push(outcome),
    };
    const fixture = createCachedFetchesFixture(rules, { observer, onFault: ignore });
    fill(fixture, '1');
    fixture.clock.now += 11_000;
    fixture.fetch(names, ['1']);
    callAt(fixture, 1).answer(named('new'));
    expect([outcomes, fixture.cache.flights.size]).toEqual([['failed'], 0]);
  });

  test('are fetched when they have expired, although a fault of the gateway has failed the count of their refreshes', () => {
    const fault = new Error('The counter is full.');
    const faults: unknown[] = [];
    const onRefresh = (): never => {
      throw fault;
    };
    const fixture = createCachedFetchesFixture(rules, {
      observer: { ...silentObserver, onRefresh },
      onFault: (reported, subgraph) => faults.push([reported, subgraph]),
    });
    fill(fixture, '1', '2');
    fixture.clock.now += 11_000;
    fixture.fetch(names, ['1', '2']);
    callAt(fixture, 1).answer(named('new', 'new'));
    fixture.clock.now += 100_000;
    const request = fixture.fetch(names, ['1', '2']);
    fixture.subgraphs.calls[2]?.answer(named('newest', 'newest'));
    expect([request.data, fixture.cache.flights.size]).toEqual([named('newest', 'newest'), 0]);
    expect(faults).toEqual([
      [fault, 'products'],
      [fault, 'products'],
    ]);
  });

  test('are not replaced by the answer to a refresh with a general error', () => {
    const outcomes: string[] = [];
    const onRefresh: CacheObserver['onRefresh'] = ({ outcome }) => outcomes.push(outcome);
    const fixture = createCachedFetchesFixture(rules, { observer: { ...silentObserver, onRefresh } });
    fill(fixture, '1');
    fixture.clock.now += 11_000;
    fixture.fetch(names, ['1']);
    callAt(fixture, 1).answer(named('new'), {}, [error('broken')]);
    expect([fixture.fetch(names, ['1']).data, outcomes]).toEqual([named('name of 1'), ['not stored']]);
  });

  test('are not refreshed again within the backoff after a failed refresh', async () => {
    const timers = new FakeTimers();
    const fixture = createCachedFetchesFixture(rules, { timers });
    fill(fixture, '1');
    fixture.clock.now += 12_000;
    fixture.fetch(names, ['1']);
    callAt(fixture, 1).fail();
    timers.advance(999);
    expect(fixture.fetch(names, ['1']).data).toEqual(named('name of 1'));
    expect(fixture.subgraphs.calls).toHaveLength(2);
    timers.advance(1);
    fixture.fetch(names, ['1']);
    expect(fixture.subgraphs.calls).toHaveLength(3);
  });

  test('are served if the subgraph fails', () => {
    const fixture = createCachedFetchesFixture(rules);
    fill(fixture, '1', '2');
    fixture.clock.now += 40_000;
    const request = fixture.fetch(names, ['1', '2', '3']);
    callAt(fixture, 1).fail();
    expect(request.result).toMatchObject({
      data: [...named('name of 1', 'name of 2'), undefined],
      errors: [{ entityIndex: 2, entry: { code: 'SUBGRAPH_UNREACHABLE' } }],
      stale: new Map([
        [0, { ageMs: 40_000, reason: 'error' }],
        [1, { ageMs: 40_000, reason: 'error' }],
      ]),
    });
    fixture.clock.now += 30_000;
    const later = fixture.fetch(names, ['1', '2']);
    callAt(fixture, 2).fail();
    expect(later.result).toMatchObject({ kind: 'failed' });
  });

  test('are served instead of an error of the subgraph', () => {
    const fixture = createCachedFetchesFixture(rules);
    fill(fixture, '1', '2');
    fixture.clock.now += 40_000;
    const request = fixture.fetch(names, ['1', '2']);
    callAt(fixture, 1).answer([{ name: 'new' }, null], {}, [error('broken', { entityIndex: 1 })]);
    expect(request.result).toMatchObject({
      data: named('new', 'name of 2'),
      errors: [],
      stale: new Map([[1, { ageMs: 40_000, reason: 'error' }]]),
    });
  });

  test('are served for all entities if one error made the data null', () => {
    const fixture = createCachedFetchesFixture(rules);
    fill(fixture, '1', '2');
    fixture.clock.now += 40_000;
    const request = fixture.fetch(names, ['1', '2']);
    callAt(fixture, 1).answer(undefined, {}, [error('broken', { entityIndex: 1 })]);
    expect(request.result).toMatchObject({ data: named('name of 1', 'name of 2'), errors: [] });
  });

  test.each(['FORBIDDEN', 'UNAUTHENTICATED'])('are not served if the subgraph refuses with %s', (code) => {
    const fixture = createCachedFetchesFixture(rules);
    fill(fixture, '1');
    fixture.clock.now += 40_000;
    const request = fixture.fetch(names, ['1']);
    callAt(fixture, 1).answer([null], {}, [error('no', { entityIndex: 0 }, code)]);
    expect(request.result).toMatchObject({
      data: [null],
      errors: [{ entry: { message: 'no' } }],
      stale: undefined,
    });
  });

  test('are not served if the subgraph refuses with a 4xx status', () => {
    const fixture = createCachedFetchesFixture(rules);
    fill(fixture, '1');
    fixture.clock.now += 40_000;
    const request = fixture.fetch(names, ['1']);
    callAt(fixture, 1).fail(
      new GatewayError('SUBGRAPH_ERROR', 'refused', { extensions: { http: { status: 403 } } }),
    );
    expect(request.result).toMatchObject({ kind: 'failed' });
  });
});
