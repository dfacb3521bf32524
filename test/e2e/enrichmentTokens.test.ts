import { describe, expect, test } from '@jest/globals';
import { type EnrichedBody, startEnrichedShop } from '../harness/enrichedShop.ts';

const query = '{ top { id advice { text } } }';
const enrichmentOf = ({ extensions }: EnrichedBody) => extensions?.tributary?.enrichment;
const metricsOf = async ({ gateway }: { gateway: { adminUrl: string } }) =>
  (await fetch(`${gateway.adminUrl}/metrics`)).text();

describe('a token', () => {
  test('leads to nothing any more when its time is over', async () => {
    await using shop = await startEnrichedShop({ enrichment: { tokens: { expireAfter: '4s' } } });
    const gate = shop.advice.hold('Product.advice');
    const { token, expiresInMs } = enrichmentOf(await shop.execute(query)) ?? {};
    expect([expiresInMs, (await shop.pollUpdates(token)).status]).toEqual([4_000, 200]);
    let looked = await shop.pollUpdates(token);
    while (looked.status === 200) looked = await shop.pollUpdates(token);
    expect([looked.status, await looked.text()]).toEqual([
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
  ])('%s is answered like one that has expired', async (_, token) => {
    await using shop = await startEnrichedShop();
    const [expired, malformed] = await Promise.all([
      shop.pollUpdates('x'.repeat(32)),
      shop.pollUpdates(token),
    ]);
    const [expected, got] = await Promise.all([expired, malformed].map((response) => response.json()));
    expect([malformed.status, got]).toEqual([404, expected]);
  });

  test('that is long, as a subscription, is answered like one that has expired', async () => {
    await using shop = await startEnrichedShop();
    const response = await fetch(shop.gateway.url, {
      method: 'POST',
      headers: { accept: 'text/event-stream', 'content-type': 'application/json' },
      body: JSON.stringify({
        query: 'subscription ($token: ID!) { enrichment(token: $token) { data } }',
        variables: { token: 'x'.repeat(10_000) },
      }),
    });
    expect(await response.text()).toContain('ENRICHMENT_EXPIRED');
  });
});

describe('names that objects have by themselves', () => {
  test.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty'])(
    '%s is a place like others',
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

  test('are places for whole objects as well', async () => {
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

describe('a flood of answers that leave something behind', () => {
  const differently = (number: number) => `{ top { id advice { also${number}: text } } }`;

  test('is bounded: what there is no room for has no token, and is counted', async () => {
    await using shop = await startEnrichedShop({ enrichment: { jobs: { maxPending: 3 } } });
    const gate = shop.advice.hold('Product.advice');
    const answers: EnrichedBody[] = [];
    for (let number = 0; number < 5; number++) answers.push(await shop.execute(differently(number)));
    expect(answers.slice(3).map(enrichmentOf)).toEqual(
      [3, 4].map(() => ({ pending: [{ path: ['top', 'advice'], reason: 'budget' }] })),
    );
    expect(await metricsOf(shop)).toMatch(
      /tributary_enrichment_jobs_enqueued_total\{[^}]*outcome="refused"[^}]*\} 2/,
    );
    gate.open();
    const kept = await Promise.all(
      answers.slice(0, 3).map((answer) => shop.fetchUpdates(enrichmentOf(answer)?.token)),
    );
    expect(kept.map((updates) => updates.map(({ data }) => data))).toEqual(
      [0, 1, 2].map((number) => [{ [`also${number}`]: 'about 1' }]),
    );
  });

  test('is bounded in bytes as well', async () => {
    await using shop = await startEnrichedShop({ enrichment: { jobs: { maxPendingSize: '1KB' } } });
    const gate = shop.advice.hold('Product.advice');
    const answers: EnrichedBody[] = [];
    for (let number = 0; number < 5; number++) answers.push(await shop.execute(differently(number)));
    const tokens = answers.map((answer) => enrichmentOf(answer)?.token);
    expect([tokens[0], tokens[4]]).toEqual([expect.any(String), undefined]);
    const refused = tokens.filter((token) => token === undefined).length;
    expect(await metricsOf(shop)).toMatch(
      new RegExp(`tributary_enrichment_jobs_enqueued_total\\{[^}]*outcome="refused"[^}]*\\} ${refused}\n`),
    );
    gate.open();
    expect(await shop.fetchUpdates(tokens[0])).toMatchObject([{ data: { also0: 'about 1' } }]);
  });

  test('does not try again what it has not kept, and says so', async () => {
    await using shop = await startEnrichedShop({ enrichment: { jobs: { maxSnapshotSize: '1B' } } });
    shop.advice.answerWith(() => ({ kind: 'json', body: {}, status: 503 }));
    const failed = await shop.fetchUpdates(enrichmentOf(await shop.execute(differently(0)))?.token);
    expect(failed.map(({ data, errors }) => [data, errors?.length])).toEqual([[null, 1]]);
    expect(await metricsOf(shop)).toMatch(
      /tributary_enrichment_jobs_settled_total\{[^}]*outcome="too_large"[^}]*\} 1/,
    );
  });

  test('drops the oldest that waits for another attempt, which says so, and is counted', async () => {
    await using shop = await startEnrichedShop({
      enrichment: { jobs: { maxPending: 1, budgetRatio: 1, backoff: { base: '1h', max: '1h' } } },
    });
    shop.advice.answerWith(() => ({ kind: 'json', body: {}, status: 503 }));
    const older = enrichmentOf(await shop.execute(differently(0)))?.token;
    while (!(await metricsOf(shop)).includes('tributary_enrichment_job_retries_total{priority="NORMAL"} 1'));
    shop.advice.answerWith(undefined);
    const gate = shop.advice.hold('Product.advice');
    const newer = enrichmentOf(await shop.execute(differently(1)))?.token;
    const dropped = await shop.fetchUpdates(older);
    expect(dropped.map(({ data, errors }) => [data, errors?.length])).toEqual([[null, 1]]);
    gate.open();
    const kept = await shop.fetchUpdates(newer);
    expect(kept.map(({ data }) => data)).toEqual([{ also1: 'about 1' }]);
    expect(await metricsOf(shop)).toMatch(
      /tributary_enrichment_jobs_settled_total\{[^}]*outcome="evicted"[^}]*\} 1/,
    );
  });

  test('leaves no room for what is less urgent: that has no token, and is counted', async () => {
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
