import { describe, expect, test } from '@jest/globals';
import { type EnrichedBody, enrichmentOf, startEnrichedShop } from '../harness/enrichedShop.ts';
import { FakeTimers } from '../harness/fakeTimers.ts';
import { postJson } from '../harness/postJson.ts';

const query = '{ top { id advice { text } } }';
const metricsOf = async ({ gateway }: { gateway: { adminUrl: string } }) =>
  (await fetch(`${gateway.adminUrl}/metrics`)).text();

describe('A token', () => {
  test('gets ENRICHMENT_EXPIRED after its expiry', async () => {
    const timers = new FakeTimers();
    await using shop = await startEnrichedShop({
      enrichment: { tokens: { expireAfter: '4s' } },
      dependencies: { timers, now: timers.now },
    });
    const gate = shop.advice.hold('Product.advice');
    const { token, expiresInMs } = enrichmentOf(await shop.execute(query)) ?? {};
    expect([expiresInMs, (await shop.pollUpdates(token)).status]).toEqual([4_000, 200]);
    timers.fire(4_000);
    const response = await shop.pollUpdates(token);
    expect([response.status, await response.text()]).toEqual([
      404,
      expect.stringContaining('ENRICHMENT_EXPIRED'),
    ]);
    gate.open();
  });

  test.each([
    ['of 10 kB', 'x'.repeat(10_000)],
    ['with slashes', encodeURIComponent('../../jobs')],
    ['with a zero byte', '%00'],
    ['that names a prototype', '__proto__'],
  ])('%s gets the same answer as an expired one', async (_, token) => {
    await using shop = await startEnrichedShop();
    const [expired, malformed] = await Promise.all([
      shop.pollUpdates('x'.repeat(32)),
      shop.pollUpdates(token),
    ]);
    const [expected, actual] = await Promise.all([expired, malformed].map((response) => response.json()));
    expect([malformed.status, actual]).toEqual([404, expected]);
  });

  test('of 10 kB in a subscription gets ENRICHMENT_EXPIRED', async () => {
    await using shop = await startEnrichedShop();
    const response = await postJson(
      shop.gateway.url,
      {
        query: 'subscription ($token: ID!) { enrichment(token: $token) { data } }',
        variables: { token: 'x'.repeat(10_000) },
      },
      { accept: 'text/event-stream' },
    );
    expect(await response.text()).toContain('ENRICHMENT_EXPIRED');
  });
});

describe('Aliases that are names of Object.prototype', () => {
  test.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty'])(
    '%s is an alias like any other',
    async (name) => {
      await using shop = await startEnrichedShop();
      const gate = shop.advice.hold('Product.advice');
      const first = await shop.execute(`{ ${name}: top { id ${name}: advice { ${name}: text } } }`);
      expect(JSON.stringify(first.data)).toBe(`{"${name}":{"id":"1","${name}":null}}`);
      expect(enrichmentOf(first)?.pending.map(({ path }) => path)).toEqual([[name, name]]);
      gate.open();
      const updates = await shop.fetchUpdates(enrichmentOf(first)?.token);
      expect(updates.map(({ path, data }) => [path, JSON.stringify(data)])).toEqual([
        [[name, name], `{"${name}":"about 1"}`],
      ]);
      expect(({} as Record<string, unknown>).text).toBeUndefined();
    },
  );

  test('can name pending objects', async () => {
    await using shop = await startEnrichedShop();
    const gate = shop.advice.hold('Product.rating');
    const first = await shop.execute('{ __proto__: products { constructor: id __proto__: rating } }');
    expect(JSON.stringify(first.data)).toBe('{"__proto__":[null,null]}');
    gate.open();
    const updates = await shop.fetchUpdates(enrichmentOf(first)?.token);
    expect(updates.map(({ path, data }) => [path, JSON.stringify(data)])).toEqual([
      [['__proto__', 0], '{"constructor":"1","__proto__":2}'],
      [['__proto__', 1], '{"constructor":"2","__proto__":4}'],
    ]);
  });
});

describe('Many answers with pending fields', () => {
  const differentQuery = (number: number) => `{ top { id advice { also${number}: text } } }`;

  test('get no token beyond maxPending, and are counted', async () => {
    await using shop = await startEnrichedShop({ enrichment: { jobs: { maxPending: 3 } } });
    const gate = shop.advice.hold('Product.advice');
    const answers: EnrichedBody[] = [];
    for (let number = 0; number < 5; number++) answers.push(await shop.execute(differentQuery(number)));
    expect(answers.slice(3).map(enrichmentOf)).toEqual(
      [3, 4].map(() => ({ pending: [{ path: ['top', 'advice'], reason: 'budget' }] })),
    );
    expect(await metricsOf(shop)).toMatch(
      /tributary_enrichment_jobs_enqueued_total\{[^}]*outcome="refused"[^}]*\} 2/,
    );
    gate.open();
    const received = await Promise.all(
      answers.slice(0, 3).map((answer) => shop.fetchUpdates(enrichmentOf(answer)?.token)),
    );
    expect(received.map((updates) => updates.map(({ data }) => data))).toEqual(
      [0, 1, 2].map((number) => [{ [`also${number}`]: 'about 1' }]),
    );
  });

  test('get no token beyond maxPendingSize, and are counted', async () => {
    await using shop = await startEnrichedShop({ enrichment: { jobs: { maxPendingSize: '1KB' } } });
    const gate = shop.advice.hold('Product.advice');
    const answers: EnrichedBody[] = [];
    for (let number = 0; number < 5; number++) answers.push(await shop.execute(differentQuery(number)));
    const tokens = answers.map((answer) => enrichmentOf(answer)?.token);
    expect([tokens[0], tokens[4]]).toEqual([expect.any(String), undefined]);
    const refused = tokens.filter((token) => token === undefined).length;
    expect(await metricsOf(shop)).toMatch(
      new RegExp(`tributary_enrichment_jobs_enqueued_total\\{[^}]*outcome="refused"[^}]*\\} ${refused}\n`),
    );
    gate.open();
    expect(await shop.fetchUpdates(tokens[0])).toMatchObject([{ data: { also0: 'about 1' } }]);
  });

  test('are not retried beyond maxSnapshotSize, and the failure is published and counted', async () => {
    await using shop = await startEnrichedShop({ enrichment: { jobs: { maxSnapshotSize: '1B' } } });
    shop.advice.answerWith(() => ({ kind: 'json', body: {}, status: 503 }));
    const failed = await shop.fetchUpdates(enrichmentOf(await shop.execute(differentQuery(0)))?.token);
    expect(failed.map(({ data, errors }) => [data, errors?.length])).toEqual([[null, 1]]);
    expect(await metricsOf(shop)).toMatch(
      /tributary_enrichment_jobs_settled_total\{[^}]*outcome="too_large"[^}]*\} 1/,
    );
  });

  test('evict the job that has waited longest for another attempt; its failure is published and counted', async () => {
    await using shop = await startEnrichedShop({
      enrichment: { jobs: { maxPending: 1, budgetRatio: 1, backoff: { base: '1h', max: '1h' } } },
    });
    shop.advice.answerWith(() => ({ kind: 'json', body: {}, status: 503 }));
    const older = enrichmentOf(await shop.execute(differentQuery(0)))?.token;
    while (!(await metricsOf(shop)).includes('tributary_enrichment_job_retries_total{priority="NORMAL"} 1'));
    shop.advice.answerWith(undefined);
    const gate = shop.advice.hold('Product.advice');
    const newer = enrichmentOf(await shop.execute(differentQuery(1)))?.token;
    const dropped = await shop.fetchUpdates(older);
    expect(dropped.map(({ data, errors }) => [data, errors?.length])).toEqual([[null, 1]]);
    gate.open();
    const kept = await shop.fetchUpdates(newer);
    expect(kept.map(({ data }) => data)).toEqual([{ also1: 'about 1' }]);
    expect(await metricsOf(shop)).toMatch(
      /tributary_enrichment_jobs_settled_total\{[^}]*outcome="evicted"[^}]*\} 1/,
    );
  });

  test('evict no job for a less important one, which gets no token and is counted', async () => {
    await using shop = await startEnrichedShop({
      enrichment: {
        jobs: { maxPending: 1 },
        fields: { 'Product.advice': { priority: 'CRITICAL' }, 'Product.related': { priority: 'BACKGROUND' } },
      },
    });
    const gates = ['Product.advice', 'Product.related'].map((field) => shop.advice.hold(field));
    const urgent = await shop.execute(query);
    const other = await shop.execute('{ top { related { id } } }');
    expect(enrichmentOf(other)).toEqual({ pending: [{ path: ['top', 'related'], reason: 'budget' }] });
    expect(await metricsOf(shop)).toMatch(
      /tributary_enrichment_jobs_enqueued_total\{[^}]*outcome="refused"[^}]*\} 1/,
    );
    for (const gate of gates) gate.open();
    const updates = await shop.fetchUpdates(enrichmentOf(urgent)?.token);
    expect(updates.map(({ data }) => data)).toEqual([{ text: 'about 1' }]);
  });
});
