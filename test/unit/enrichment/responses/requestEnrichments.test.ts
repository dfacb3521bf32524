import { afterEach, describe, expect, jest, test } from '@jest/globals';
import { RequestEnrichments } from '../../../../gateway/enrichment/responses/requestEnrichments.ts';
import { LatencyBudget } from '../../../../gateway/execution/latencyBudget.ts';
import { ResponseShaper } from '../../../../gateway/response/responseShaper.ts';
import { systemTimers } from '../../../../gateway/time/timers.ts';
import { collectResults, createEnrichedPipeline } from '../../../harness/enrichedPipeline.ts';
import { FakeTimers } from '../../../harness/fakeTimers.ts';
import { waitForTurns } from '../../../harness/waitForTurns.ts';

const query = '{ products { id advice { text } } }';

/** A client leaves when its first response has been shaped. */
function disconnectWhenShaped(): AbortSignal {
  const client = new AbortController();
  const { shapeFirst } = ResponseShaper.prototype;
  // Only shaping can take long.
  jest.spyOn(ResponseShaper.prototype, 'writeFirst').mockReturnValueOnce(undefined);
  jest.spyOn(ResponseShaper.prototype, 'shapeFirst').mockImplementationOnce(function* (
    this: ResponseShaper,
    ...args
  ) {
    const shaped = yield* shapeFirst.apply(this, args);
    client.abort();
    return shaped;
  });
  return client.signal;
}

afterEach(() => {
  jest.restoreAllMocks();
});

describe('a client that disconnects while its first response is shaped', () => {
  const aborted = { code: 'REQUEST_ABORTED' };

  test('leaves no enrichment job behind', async () => {
    const shop = createEnrichedPipeline();
    const gate = shop.holdFetches();
    const signal = disconnectWhenShaped();
    await expect(shop.pipeline.respond(query, {}, undefined, undefined, signal)).rejects.toMatchObject(
      aborted,
    );
    gate.open();
    expect([shop.enqueued, shop.outcomes]).toEqual([[], []]);
  });

  test('leaves no enrichment job behind when it accepts incremental delivery', async () => {
    const shop = createEnrichedPipeline({ fetches: ['advice { text }', 'stock'] });
    const gate = shop.holdFetches();
    const deferring = '{ products { id advice { text } ... @defer { stock } } }';
    const signal = disconnectWhenShaped();
    await expect(
      shop.pipeline.respond(deferring, {}, 'incrementalSpec=v0.2', undefined, signal),
    ).rejects.toMatchObject(aborted);
    gate.open();
    expect(shop.enqueued).toEqual([]);
  });
});

describe('the recorded delivery of an enrichment', () => {
  test.each([
    ['has fetches of its own', ['advice { text }']],
    ['is fetched with the primary data', ['rating advice { text }']],
  ])('that %s is missing for a response without an object that has the field', async (_, fetches) => {
    const enrichment = {
      mode: 'always',
      budget: '1h',
      bounds: { max: '1h' },
      fields: { 'Product.advice': {} },
    } as const;
    const [some, none] = [
      createEnrichedPipeline({ enrichment, fetches }),
      createEnrichedPipeline({ enrichment, fetches, ids: [] }),
    ];
    const products = '{ products { rating advice { text } } }';
    await some.pipeline.execute(products);
    await none.pipeline.execute(products);
    expect([some.latencies, some.outcomes]).toEqual([['Product.advice: 0'], ['Product.advice: in time']]);
    expect([none.latencies, none.outcomes]).toEqual([[], []]);
  });
});

describe('the recorded latency of an enrichment', () => {
  test('is that of fetches, and missing for responses without an object that has the field', async () => {
    const [some, none] = [createEnrichedPipeline(), createEnrichedPipeline({ ids: [] })];
    const gate = some.holdFetches();
    await some.pipeline.execute(query);
    gate.open();
    for (const { attempt } of some.enqueued) await collectResults(attempt);
    expect(await none.pipeline.execute(query)).toEqual({ data: { products: [] } });
    expect([some.latencies, none.latencies]).toEqual([['Product.advice: 0'], []]);
  });

  test('is that of the fetch that continues after a stale value was served', async () => {
    let end = (): void => {};
    const shop = createEnrichedPipeline({
      enrichment: { mode: 'always', budget: '1s' },
      annotationsOf: ({ shape, group, budget }) => {
        if (!shape.isEntityFetch) return {};
        end = budget?.trackStaleFallback(group) ?? end;
        return { stale: new Map([[0, { ageMs: 1, reason: 'budget' }]]) };
      },
    });
    await shop.pipeline.execute(query);
    expect([shop.latencies, shop.outcomes]).toEqual([[], ['Product.advice: stale']]);
    end();
    expect(shop.latencies).toEqual(['Product.advice: 0']);
  });

  test('is recorded once for a value that arrives while the first response is sent', async () => {
    const shop = createEnrichedPipeline();
    await shop.pipeline.execute(query);
    for (const { attempt } of shop.enqueued) await collectResults(attempt);
    expect(shop.latencies).toEqual(['Product.advice: 0']);
  });
});

describe('the latency of an enrichment whose attempt was cancelled', () => {
  /** Responses that were sent at the end of their budget, with equal jobs. */
  async function startEqualJobs(count: number) {
    const shop = createEnrichedPipeline({ enrichment: { mode: 'always', budget: '1ms' } });
    const gate = shop.holdFetches();
    for (let index = 0; index < count; index++) await shop.pipeline.execute(query);
    expect(new Set(shop.enqueued.map(({ job }) => job.id)).size).toBe(1);
    return { ...shop, gate, attempts: shop.enqueued.map(({ attempt }) => attempt) };
  }

  test('is infinite, because nothing continues the job', async () => {
    const { attempts, latencies } = await startEqualJobs(1);
    attempts[0]?.cancel();
    expect(latencies).toEqual(['Product.advice: Infinity']);
  });

  test('is infinite only if its fetch has begun', async () => {
    const shop = createEnrichedPipeline({
      enrichment: { mode: 'always', budget: '1ms' },
      fetches: ['rating', 'stock'],
      inputsOfLast: ['rating'],
    });
    shop.holdFetches();
    await shop.pipeline.execute('{ products { id rating stock } }');
    shop.enqueued[0]?.attempt.cancel();
    expect(shop.latencies).toEqual(['Product.rating: Infinity']);
  });

  test('is that of an equal job, once', async () => {
    const { attempts, latencies, gate } = await startEqualJobs(2);
    const [first, second] = attempts;
    second?.cancel();
    expect(latencies).toEqual([]);
    gate.open();
    if (first !== undefined) await collectResults(first);
    expect(latencies).toEqual(['Product.advice: 0', 'Product.advice: 0']);
  });
});

describe('an inline enrichment that is not ready at the end of its budget', () => {
  /** `isFetched`: its fetches have begun. */
  function start({ isFetched = true } = {}) {
    const timers = new FakeTimers();
    jest.spyOn(systemTimers, 'after').mockImplementation((ms, run) => timers.after(ms, run));
    const overdue: number[] = [];
    const enrichment = { group: 1, budgetMs: 50, rule: { coordinate: 'Product.advice' } };
    const enrichments = new RequestEnrichments({
      plan: { enrichments: [enrichment], inline: [enrichment], isShadow: false, isStreamed: false },
      execution: { hasFetched: () => isFetched, transientErrorsOf: () => [], staleValues: [] },
      coordinator: {
        recordOverdue: ({ group }: typeof enrichment) => overdue.push(group),
        recordReady: () => {},
      },
      budget: new LatencyBudget(),
      // The budget has ended before.
      startedAt: performance.now() - 100,
    } as never);
    return { enrichments, timers, overdue };
  }

  test('is recorded as overdue, although the primary data is not there', async () => {
    const { timers, overdue } = start();
    timers.advance(0);
    await waitForTurns();
    expect([overdue, timers.pendingCount]).toEqual([[1], 0]);
  });

  test('is not recorded as overdue if it completes in the same turn', async () => {
    const { enrichments, timers, overdue } = start();
    timers.advance(0);
    enrichments.completeGroup(1);
    await waitForTurns();
    expect(overdue).toEqual([]);
  });

  test('is not recorded as overdue while it waits for a fetch of others', async () => {
    const { timers, overdue } = start({ isFetched: false });
    timers.advance(0);
    await waitForTurns();
    expect([overdue, timers.pendingCount]).toEqual([[], 0]);
  });
});
