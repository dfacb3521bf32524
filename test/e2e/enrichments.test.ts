import { describe, expect, test } from '@jest/globals';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { type EnrichedBody, enrichmentOf, startEnrichedShop } from '../harness/enrichedShop.ts';
import type { CannedAnswer } from '../harness/inlineGateway.ts';
import { postJson } from '../harness/postJson.ts';
import { readEvents } from '../harness/readEvents.ts';
import { scrapeSample } from '../harness/scrapeSample.ts';
import { startTokenIssuer } from '../harness/tokenIssuer.ts';

const pendingOf = (body: EnrichedBody) => enrichmentOf(body)?.pending.map(({ path }) => path.join('.'));

describe('An enrichment', () => {
  test('is in the first response when it is ready within its budget', async () => {
    await using shop = await startEnrichedShop({ enrichment: { budget: '10s' } });
    expect(await shop.execute('{ top { related { name } id } }')).toEqual({
      data: { top: { related: [{ name: 'Pot' }], id: '1' } },
    });
  });

  test('is null after its budget, and its update has the path and the key order of the selection', async () => {
    await using shop = await startEnrichedShop();
    const gate = shop.advice.hold('Product.related');
    const first = await shop.execute('{ top { also: related { name id } id } }');
    expect(first.data).toEqual({ top: { also: null, id: '1' } });
    const { token, expiresInMs, pending } = enrichmentOf(first) ?? {};
    expect(pending).toEqual([{ path: ['top', 'also'], reason: 'budget' }]);
    expect(expiresInMs).toBe(60_000);
    expect(await (await shop.pollUpdates(token)).json()).toEqual({ updates: [], hasNext: true });
    gate.open();
    const update = {
      path: ['top', 'also'],
      label: null,
      data: [{ name: 'Pot', id: '2' }],
      errors: null,
      hasNext: false,
      cursor: expect.any(String),
    };
    expect(await shop.fetchUpdates(token)).toEqual([update]);
    expect(await (await shop.pollUpdates(token)).json()).toEqual({ updates: [update], hasNext: false });
  });

  test('is pending beside a value of another subgraph that is nested too deep', async () => {
    await using shop = await startEnrichedShop();
    const gate = shop.advice.hold('Product.related');
    // With a key that is a number, JSON.stringify recurses.
    const deep = `{"1":${'['.repeat(10_000)}${']'.repeat(10_000)}}`;
    const body = `{"data":{"top":{"__typename":"Product","id":"1"},"other":{"name":${deep}}}}`;
    shop.catalog.answerWith(({ query }) => (query.includes('other') ? { kind: 'text', body } : undefined));
    const first = await shop.execute('{ top { id related { name } } other: top { name } }');
    expect(first.data).toEqual({ top: { id: '1', related: null }, other: null });
    gate.open();
    const [update] = await shop.fetchUpdates(enrichmentOf(first)?.token);
    expect(update).toMatchObject({ path: ['top', 'related'], data: [{ name: 'Pot' }], errors: null });
  });

  test('does not affect fields without a rule, which the answer awaits', async () => {
    await using shop = await startEnrichedShop({ enrichment: { fields: { 'Product.related': {} } } });
    const gate = shop.advice.hold('Product.related');
    const first = await shop.execute('{ top { related { id } advice { text } } }');
    expect(first.data).toEqual({ top: { related: null, advice: { text: 'about 1' } } });
    gate.open();
  });

  test('has requests of its own also in an operation with many, in which aliases share some', async () => {
    await using shop = await startEnrichedShop({ enrichment: { fields: { 'Product.related': {} } } });
    const gate = shop.advice.hold('Product.related');
    const aliases = Array.from({ length: 20 }, (_, index) => `r${index}`);
    const selections = aliases.map((alias) => `${alias}: related { id }`).join(' ');
    const first = await shop.execute(`{ top { advice { text } ${selections} } }`);
    expect(first.data).toEqual({
      top: { advice: { text: 'about 1' }, ...Object.fromEntries(aliases.map((alias) => [alias, null])) },
    });
    gate.open();
    const updates = await shop.fetchUpdates(enrichmentOf(first)?.token);
    expect(shop.advice.calls).toHaveLength(17);
    expect(updates.map(({ path, data }) => [path.at(-1), data]).sort()).toEqual(
      aliases.map((alias) => [alias, [{ id: '2' }]]).sort(),
    );
    const metrics = await (await fetch(`${shop.gateway.adminUrl}/metrics`)).text();
    expect(metrics).toContain('tributary_enrichment_unsplit_answers_total 0');
  });

  test('that is non-null makes its nearest nullable ancestor pending', async () => {
    await using shop = await startEnrichedShop();
    const gate = shop.advice.hold('Product.rating');
    const first = await shop.execute('{ top { id rating } products { rating name } }');
    expect(first.data).toEqual({ top: null, products: [null, null] });
    expect(pendingOf(first)).toEqual(['top', 'products.0', 'products.1']);
    gate.open();
    const updates = await shop.fetchUpdates(enrichmentOf(first)?.token);
    expect(updates.map(({ path, data }) => [path.join('.'), data]).sort()).toEqual([
      ['products.0', { rating: 2, name: 'Pan' }],
      ['products.1', { rating: 4, name: 'Pot' }],
      ['top', { id: '1', rating: 2 }],
    ]);
  });

  test('is awaited when no position on the path to it is nullable', async () => {
    await using shop = await startEnrichedShop();
    expect(await shop.execute('{ must { rating } }')).toEqual({ data: { must: { rating: 4 } } });
  });

  test('within another one arrives with it, as one update', async () => {
    await using shop = await startEnrichedShop();
    const gate = shop.advice.hold('Product.related');
    const first = await shop.execute('{ top { related { advice { text } } } }');
    expect(pendingOf(first)).toEqual(['top.related']);
    gate.open();
    const updates = await shop.fetchUpdates(enrichmentOf(first)?.token);
    expect(updates.map(({ data }) => data)).toEqual([[{ advice: { text: 'about 2' } }]]);
  });

  test('is awaited in a mutation', async () => {
    await using shop = await startEnrichedShop();
    const { data, extensions } = await shop.execute(
      'mutation { rename(name: "Lid") { name advice { text } } }',
    );
    expect([data, extensions]).toEqual([{ rename: { name: 'Lid', advice: { text: 'about 1' } } }, undefined]);
  });

  test('is awaited and counted in shadow mode', async () => {
    await using shop = await startEnrichedShop({ enrichment: { shadow: true } });
    expect(await shop.execute('{ top { advice { text } } }')).toEqual({
      data: { top: { advice: { text: 'about 1' } } },
    });
    const metrics = await (await fetch(`${shop.gateway.adminUrl}/metrics`)).text();
    expect(metrics).toContain(
      'tributary_enrichment_answers_total{coordinate="Product.advice",outcome="shadow_pending"} 1',
    );
  });

  test('that fails within its budget for good is an error like any other', async () => {
    await using shop = await startEnrichedShop({ enrichment: { budget: '10s' } });
    const failures: readonly CannedAnswer[] = [
      { kind: 'json', body: {}, status: 500 },
      { kind: 'json', body: { data: null, errors: [{ message: 'There is no advice.' }] } },
    ];
    for (const failure of failures) {
      shop.advice.answerWith(() => failure);
      const body = await shop.execute('{ top { id advice { text } } }');
      expect([body.data, body.errors?.length, body.extensions]).toEqual([
        { top: { id: '1', advice: null } },
        1,
        undefined,
      ]);
    }
  });

  test('that fails within its budget because its subgraph is unavailable is pending, and is fetched again', async () => {
    await using shop = await startEnrichedShop({ enrichment: { budget: '10s', jobs: { budgetRatio: 1 } } });
    const failures: readonly CannedAnswer[] = [
      { kind: 'reset' },
      { kind: 'json', body: 'Bad gateway', status: 502 },
      { kind: 'json', body: { errors: [{ message: 'The subgraph shuts down.' }] }, status: 503 },
      { kind: 'json', body: {}, status: 504 },
    ];
    for (const failure of failures) {
      shop.advice.reset();
      // Two, because a query whose idle connection is reset is sent again at once.
      shop.advice.answerWith(() => (shop.advice.calls.length <= 2 ? failure : undefined));
      const first = await shop.execute('{ products { id advice { text } } }');
      expect([first.data, first.errors]).toEqual([
        { products: ['1', '2'].map((id) => ({ id, advice: null })) },
        undefined,
      ]);
      expect(enrichmentOf(first)?.pending).toEqual(
        [0, 1].map((index) => ({ path: ['products', index, 'advice'], reason: 'error' })),
      );
      const updates = await shop.fetchUpdates(enrichmentOf(first)?.token);
      expect(updates.map(({ path, data, errors }) => [path.join('.'), data, errors])).toEqual([
        ['products.0.advice', { text: 'about 1' }, null],
        ['products.1.advice', { text: 'about 2' }, null],
      ]);
    }
    const metrics = await (await fetch(`${shop.gateway.adminUrl}/metrics`)).text();
    expect(metrics).toContain(
      'tributary_enrichment_answers_total{coordinate="Product.advice",outcome="pending"} 4',
    );
    // Failures say nothing about the latency of the field.
    expect(metrics).not.toContain('tributary_enrichment_ready_seconds_count{');
  });

  test('that failed because its subgraph is unavailable is an error if the answer cannot be sent without it', async () => {
    await using shop = await startEnrichedShop({ enrichment: { budget: '10s' } });
    shop.advice.answerWith(() => ({ kind: 'json', body: {}, status: 503 }));
    const body = await shop.execute('{ must { rating } top { advice { text } } }');
    expect([body.data, body.errors?.length, body.extensions]).toStrictEqual([null, 1, undefined]);
  });

  test('of which some objects failed is pending at all of them, and those at hand arrive at once', async () => {
    await using shop = await startEnrichedShop({ enrichment: { budget: '10s', jobs: { attempts: 1 } } });
    const advices = ['1', '2'].map((id) => ({ advice: { text: `about ${id}` } }));
    const failure = { message: 'Too busy.', path: ['_entities', 1, 'advice'] };
    shop.advice.answerWith(() => ({
      kind: 'json',
      status: 503,
      body: { data: { _entities: [advices[0], { advice: null }] }, errors: [failure] },
    }));
    const first = await shop.execute('{ products { advice { text } } }');
    expect(pendingOf(first)).toEqual(['products.0.advice', 'products.1.advice']);
    const updates = await shop.fetchUpdates(enrichmentOf(first)?.token);
    expect(updates.map(({ data, errors }) => [data, errors?.length])).toEqual([
      [{ text: 'about 1' }, undefined],
      [null, 1],
    ]);
  });
});

describe('A client with `tributary-defer: auto`', () => {
  test.each([
    {
      format: 'deferSpec=20220824' as const,
      later: { incremental: [{ data: { advice: { text: 'about 1' } }, path: ['top'] }], hasNext: false },
    },
    {
      format: 'incrementalSpec=v0.2' as const,
      later: {
        incremental: [{ id: '0', data: { advice: { text: 'about 1' } } }],
        completed: [{ id: '0' }],
        hasNext: false,
      },
    },
  ])('gets pending fields on the same response in the format $format', async ({ format, later }) => {
    await using shop = await startEnrichedShop();
    const gate = shop.advice.hold('Product.advice');
    const answer = await shop.gateway.executeIncrementally('{ top { id advice { text } } }', {
      format,
      headers: { 'tributary-defer': 'auto' },
    });
    const [first = {}] = (await answer.next()) as readonly EnrichedBody[];
    expect([first.data, first.extensions]).toEqual([{ top: { id: '1', advice: null } }, undefined]);
    gate.open();
    expect(await answer.next()).toEqual([later]);
  });
});

test('a pending field within a list makes the whole list pending in an incremental response', async () => {
  await using shop = await startEnrichedShop({ enrichment: { fields: { 'Product.rating': {} } } });
  const gate = shop.advice.hold('Product.rating');
  const answer = await shop.gateway.executeIncrementally('{ top { similar { rating } } }', {
    headers: { 'tributary-defer': 'auto' },
  });
  const [first = {}] = (await answer.next()) as readonly EnrichedBody[];
  expect(first.data).toEqual({ top: { similar: null } });
  gate.open();
  expect(await answer.next()).toEqual([
    { incremental: [{ data: { similar: [{ rating: 4 }] }, path: ['top'] }], hasNext: false },
  ]);
});

describe('A client that uses `@defer`', () => {
  test('gets deferred fragments as payloads, and a token for pending enrichments', async () => {
    await using shop = await startEnrichedShop();
    const [related, advice] = [shop.advice.hold('Product.related'), shop.advice.hold('Product.advice')];
    const answer = await shop.gateway.executeIncrementally(
      '{ top { id advice { text } ... @defer { related { id } } } }',
    );
    const [first = {}] = (await answer.next()) as readonly EnrichedBody[];
    expect(first.data).toEqual({ top: { id: '1', advice: null } });
    expect(pendingOf(first)).toEqual(['top.advice']);
    related.open();
    expect(await answer.next()).toEqual([
      { incremental: [{ data: { related: [{ id: '2' }] }, path: ['top'] }], hasNext: false },
    ]);
    advice.open();
    const updates = await shop.fetchUpdates(enrichmentOf(first)?.token);
    expect(updates.map(({ data }) => data)).toEqual([{ text: 'about 1' }]);
  });
});

describe('A deferred fragment on a pending object', () => {
  test('arrives with the update of the object', async () => {
    await using shop = await startEnrichedShop();
    const gates = ['Product.rating', 'Product.advice'].map((field) => shop.advice.hold(field));
    const answer = await shop.gateway.executeIncrementally(
      '{ top { id rating ... @defer { name advice { text } } } }',
    );
    const [first = {}, ...more] = (await answer.remaining()) as readonly EnrichedBody[];
    expect([first.data, pendingOf(first), more]).toEqual([{ top: null }, ['top'], []]);
    for (const gate of gates) gate.open();
    const updates = await shop.fetchUpdates(enrichmentOf(first)?.token);
    expect(updates.map(({ data }) => data)).toEqual([
      { id: '1', rating: 2, name: 'Pan', advice: { text: 'about 1' } },
    ]);
  });

  test('arrives with the update of the object also after a failed attempt', async () => {
    await using shop = await startEnrichedShop({ enrichment: { jobs: { attempts: 2, budgetRatio: 1 } } });
    shop.advice.answerWith(() => ({ kind: 'json', body: {}, status: 503 }));
    const answer = await shop.gateway.executeIncrementally(
      '{ products { id rating ... @defer { name advice { text } } } }',
    );
    const [first = {}] = (await answer.remaining()) as readonly EnrichedBody[];
    await shop.advice.waitForCalls(1);
    shop.advice.answerWith(undefined);
    const updates = await shop.fetchUpdates(enrichmentOf(first)?.token);
    expect(updates.map(({ data }) => data)).toEqual([
      { id: '1', rating: 2, name: 'Pan', advice: { text: 'about 1' } },
      { id: '2', rating: 4, name: 'Pot', advice: { text: 'about 2' } },
    ]);
  });

  test('follows the object on the same response with `tributary-defer: auto`', async () => {
    await using shop = await startEnrichedShop();
    const gate = shop.advice.hold('Product.rating');
    const headers = { 'tributary-defer': 'auto' };
    const answer = await shop.gateway.executeIncrementally('{ top { id rating ... @defer { name } } }', {
      headers,
    });
    const [first] = await answer.next();
    expect(first).toEqual({ data: { top: null }, hasNext: true });
    gate.open();
    expect(await answer.remaining()).toEqual([
      { incremental: [{ data: { top: { id: '1', rating: 2 } }, path: [] }], hasNext: true },
      { incremental: [{ data: { name: 'Pan' }, path: ['top'] }], hasNext: false },
    ]);
  });
});

test('the answer waits for an enrichment of which the client defers a part', async () => {
  await using shop = await startEnrichedShop();
  const query = '{ top { advice { text } ... @defer { advice { author } name } } }';
  const answer = await shop.gateway.executeIncrementally(query);
  const payloads = await answer.remaining();
  expect(payloads[0]).toMatchObject({ data: { top: { advice: { text: 'about 1' } } } });
  expect(JSON.stringify(payloads)).toContain('"author":"us"');
});

describe('A job', () => {
  test('is shared by equal answers, each with its own token', async () => {
    await using shop = await startEnrichedShop();
    const gate = shop.advice.hold('Product.advice');
    const query = '{ top { advice { text } } }';
    const answers = await Promise.all([1, 2, 3].map(() => shop.execute(query)));
    const tokens = answers.map((answer) => enrichmentOf(answer)?.token);
    expect(new Set(tokens).size).toBe(3);
    gate.open();
    const updates = await Promise.all(tokens.map((token) => shop.fetchUpdates(token)));
    expect(updates.map((of) => of.map(({ data }) => data))).toEqual(
      Array.from({ length: 3 }, () => [{ text: 'about 1' }]),
    );
    expect(shop.advice.calls).toHaveLength(1);
  });

  test('that waits for another attempt is finished by the execution of a later equal answer', async () => {
    await using shop = await startEnrichedShop({
      enrichment: { jobs: { backoff: { base: '1h', max: '1h' }, budgetRatio: 1 } },
      config: { subgraphs: { all: { retry: { enabled: false } } } },
    });
    const query = '{ top { advice { text } } }';
    shop.advice.answerWith(() => ({ kind: 'json', body: {}, status: 503 }));
    const tokens = [enrichmentOf(await shop.execute(query))?.token];
    const metrics = async () => (await fetch(`${shop.gateway.adminUrl}/metrics`)).text();
    while (!(await metrics()).includes('tributary_enrichment_job_retries_total{priority="NORMAL"} 1'));
    shop.advice.answerWith(undefined);
    const gate = shop.advice.hold('Product.advice');
    tokens.push(enrichmentOf(await shop.execute(query))?.token);
    gate.open();
    for (const token of tokens)
      expect(await shop.fetchUpdates(token)).toMatchObject([{ data: { text: 'about 1' }, hasNext: false }]);
  });

  test('is not shared by an answer from after an invalidation', async () => {
    const rules = { 'subgraph:advice': { maxAge: '1m' } };
    await using shop = await startEnrichedShop({
      config: { cache: { rules, mutations: { 'Mutation.rename': {} } } },
    });
    const query = '{ top { advice { text } } }';
    const gate = shop.advice.hold('Product.advice');
    const tokens = [enrichmentOf(await shop.execute(query))?.token];
    await shop.execute('mutation { rename(name: "Lid") { id } }');
    tokens.push(enrichmentOf(await shop.execute(query))?.token);
    gate.open();
    for (const token of tokens)
      expect(await shop.fetchUpdates(token)).toMatchObject([{ data: { text: 'about 1' }, hasNext: false }]);
    expect(shop.advice.calls).toHaveLength(2);
  });

  test('is not shared where clients get the cookies of a subgraph', async () => {
    const headers = { respond: ['set-cookie'] } as const;
    await using shop = await startEnrichedShop({ config: { subgraphs: { advice: { headers } } } });
    const gate = shop.advice.hold('Product.advice');
    const query = '{ top { advice { text } } }';
    const tokens = [await shop.execute(query), await shop.execute(query)].map(
      (body) => enrichmentOf(body)?.token,
    );
    const created = 'tributary_enrichment_jobs_enqueued_total{priority="NORMAL",outcome="created"} ';
    expect(await scrapeSample(shop.gateway.adminUrl, created)).toBe(2);
    gate.open();
    for (const token of tokens) expect(await shop.fetchUpdates(token)).toHaveLength(1);
  });

  test('is visible only to the caller of the operation', async () => {
    await using shop = await startEnrichedShop();
    const mine = { authorization: 'me' };
    const { token } = enrichmentOf(await shop.execute('{ top { advice { text } } }', mine)) ?? {};
    const answers = await Promise.all([
      shop.pollUpdates(token, mine),
      shop.pollUpdates(token, { authorization: 'you' }),
      shop.pollUpdates(token),
      shop.pollUpdates('nonsense', mine),
    ]);
    expect(answers.map(({ status }) => status)).toEqual([200, 404, 404, 404]);
    const [, foreign, anonymous, malformed] = await Promise.all(answers.map((answer) => answer.text()));
    expect(foreign).toContain('ENRICHMENT_EXPIRED');
    expect([anonymous, malformed]).toEqual([foreign, foreign]);
  });

  test('is visible to everyone with the token of an anonymous request, such as a client that has logged in since', async () => {
    await using shop = await startEnrichedShop({ config: { security: { identity: { header: 'x-user' } } } });
    const { token } = enrichmentOf(await shop.execute('{ top { advice { text } } }')) ?? {};
    const credentials = [{}, { authorization: 'me' }, { authorization: 'me', 'x-user': 'u1' }];
    const answers = await Promise.all(credentials.map((headers) => shop.pollUpdates(token, headers)));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
  });

  test('is visible to the identity of the operation, also with another token', async () => {
    await using issuer = await startTokenIssuer();
    const jwt = { issuers: [{ jwks: issuer.jwks }] };
    await using shop = await startEnrichedShop({ config: { security: { jwt } } });
    const login = async (sub: string, jti: string) => ({
      authorization: `Bearer ${await issuer.sign({ sub, jti })}`,
    });
    const first = await login('u1', '1');
    const { token } = enrichmentOf(await shop.execute('{ top { advice { text } } }', first)) ?? {};
    const credentials = [first, await login('u1', '2'), await login('u2', '1'), {}];
    const answers = await Promise.all(credentials.map((headers) => shop.pollUpdates(token, headers)));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 404, 404]);
    const forged = await shop.pollUpdates(token, { authorization: `${first.authorization}x` });
    expect([forged.status, forged.headers.get('www-authenticate')]).toEqual([
      401,
      'Bearer realm="graphql", error="invalid_token", error_description="The signature of the token is wrong."',
    ]);
  });

  test('is fetched for the client of the operation when the token of the client has expired', async () => {
    await using issuer = await startTokenIssuer();
    let now = Date.now();
    await using shop = await startEnrichedShop({
      enrichment: { jobs: { attempts: 1 } },
      config: {
        security: { jwt: { issuers: [{ jwks: issuer.jwks }], required: true } },
        subgraphs: { all: { retry: { enabled: false }, headers: { forward: [] } } },
      },
      dependencies: { now: () => now },
    });
    const login = async (jti: string, exp: number) => ({
      authorization: `Bearer ${await issuer.sign({ sub: 'u1', jti, exp: Math.ceil(exp / 1_000) })}`,
    });
    shop.advice.answerWith(() => ({ kind: 'json', body: {}, status: 503 }));
    const first = await login('1', now + 60_000);
    const { token } = enrichmentOf(await shop.execute('{ top { advice { text } } }', first)) ?? {};
    await shop.fetchUpdates(token, first);
    shop.advice.answerWith(undefined);
    now += 120_000;
    expect((await shop.pollUpdates(token, first)).status).toBe(401);
    const jobsUrl = `${shop.gateway.adminUrl}/jobs`;
    const { jobs } = (await (await fetch(`${jobsUrl}?state=failed`)).json()) as { jobs: { id: string }[] };
    expect((await fetch(`${jobsUrl}/${jobs[0]?.id}/retry`, { method: 'POST' })).status).toBe(202);
    await shop.advice.waitForCalls(2);
    const updates = await shop.fetchUpdates(token, await login('2', now + 60_000));
    expect(updates.at(-1)).toMatchObject({ data: { text: 'about 1' }, errors: null, hasNext: false });
  });

  test('is visible to the `authorization` of an operation without the configured identity', async () => {
    await using shop = await startEnrichedShop({ config: { security: { identity: { header: 'x-user' } } } });
    const mine = { authorization: 'me' };
    const { token } = enrichmentOf(await shop.execute('{ top { advice { text } } }', mine)) ?? {};
    const credentials = [mine, {}, { authorization: 'you' }, { 'x-user': 'me' }];
    const answers = await Promise.all(credentials.map((headers) => shop.pollUpdates(token, headers)));
    expect(answers.map(({ status }) => status)).toEqual([200, 404, 404, 404]);
  });

  test('is retried when it fails, and becomes a dead letter after the last attempt', async () => {
    await using shop = await startEnrichedShop({
      enrichment: { jobs: { attempts: 3, budgetRatio: 1 } },
      config: { subgraphs: { all: { retry: { enabled: false } } } },
    });
    shop.advice.answerWith(() => ({ kind: 'json', body: {}, status: 503 }));
    const { token } = enrichmentOf(await shop.execute('{ top { advice { text } } }')) ?? {};
    const [failed, ...more] = await shop.fetchUpdates(token);
    expect([failed?.data, failed?.errors?.length, more]).toEqual([null, 1, []]);
    expect(shop.advice.calls).toHaveLength(3);

    const jobsUrl = `${shop.gateway.adminUrl}/jobs`;
    const { jobs } = (await (await fetch(`${jobsUrl}?state=failed`)).json()) as {
      jobs: readonly { id: string; coordinates: unknown; attempts: number; error: string }[];
    };
    expect(jobs).toMatchObject([
      { coordinates: ['Product.advice'], attempts: 3, error: expect.stringContaining('not available') },
    ]);
    shop.advice.answerWith(undefined);
    const retried = await fetch(`${jobsUrl}/${jobs[0]?.id}/retry`, { method: 'POST' });
    expect(retried.status).toBe(202);
    await shop.advice.waitForCalls(4);
    const updates = await shop.fetchUpdates(token);
    expect(updates.at(-1)).toMatchObject({ data: { text: 'about 1' }, errors: null, hasNext: false });
  });
});

describe('`subscription { enrichment }`', () => {
  const operationFor = (token: string | undefined) =>
    `subscription { alias: enrichment(token: ${JSON.stringify(token)}) { where: path data hasNext } }`;

  test('sends updates over server-sent events, and continues after a cursor', async () => {
    await using shop = await startEnrichedShop();
    const { token } = enrichmentOf(await shop.execute('{ products { advice { text } } }')) ?? {};
    const subscribe = async (headers: Readonly<Record<string, string>> = {}) => {
      const response = await postJson(
        shop.gateway.url,
        { query: operationFor(token) },
        { accept: 'text/event-stream', ...headers },
      );
      return readEvents(await response.text());
    };
    const events = await subscribe();
    expect(events.slice(0, -1).map(({ data }) => JSON.parse(data).data)).toEqual([
      { alias: { where: ['products', 0, 'advice'], data: { text: 'about 1' }, hasNext: true } },
      { alias: { where: ['products', 1, 'advice'], data: { text: 'about 2' }, hasNext: false } },
    ]);
    const after = await subscribe({ 'last-event-id': String(events[0]?.id) });
    expect(after.map(({ data }) => data)).toEqual(events.slice(1).map(({ data }) => data));
  });

  test('sends updates over WebSockets, and fails for an invalid token', async () => {
    await using shop = await startEnrichedShop();
    const { token } = enrichmentOf(await shop.execute('{ top { advice { text } } }')) ?? {};
    const client = createClient({
      url: shop.gateway.url.replace('http', 'ws'),
      webSocketImpl: WebSocket,
      retryAttempts: 0,
    });
    try {
      const received: unknown[] = [];
      for await (const { data } of client.iterate({ query: operationFor(token) })) received.push(data);
      expect(received).toEqual([
        { alias: { where: ['top', 'advice'], data: { text: 'about 1' }, hasNext: false } },
      ]);
      const refused = client.iterate({ query: operationFor('nonsense') });
      await expect(refused.next()).rejects.toMatchObject([{ extensions: { code: 'ENRICHMENT_EXPIRED' } }]);
    } finally {
      await client.dispose();
    }
  });
});
