import { describe, expect, test } from '@jest/globals';
import { TracerProvider } from '@opentelemetry/sdk-trace';
import { createLogger } from '../../gateway/telemetry/logger.ts';
import { systemTimers } from '../../gateway/time/timers.ts';
import { type CachedShop, type CachedShopOptions, startCachedShop } from '../harness/cachedShop.ts';

const minute = { maxAge: '1h' } as const;

/** Products themselves have a long lifetime and stay fresh. */
function startShop(options: CachedShopOptions = {}): Promise<CachedShop> {
  return startCachedShop({
    ...options,
    cache: {
      rules: {
        'subgraph:catalog': minute,
        'subgraph:stock': { maxAge: '5s', staleWhileRevalidate: '30s', staleIfError: '10m' },
      },
      ...options.cache,
    },
  });
}

const staleAt = (seconds: number, reason: string, ...paths: (string | number)[][]) => ({
  tributary: { stale: paths.map((path) => ({ path, ageMs: seconds * 1_000, reason })) },
});

describe('Within `staleWhileRevalidate`,', () => {
  test('a stale value is served at once and reported, and one refresh stores the new value', async () => {
    await using shop = await startShop();
    const query = '{ top { id stock } }';
    await shop.execute(query);
    shop.data.stock = 8;
    shop.clock.advanceSeconds(6);
    const gate = shop.stock.hold('Product.stock');
    const old = {
      data: { top: { id: '1', stock: 3 } },
      extensions: staleAt(6, 'revalidating', ['top', 'stock']),
    };
    const answers = await Promise.all([1, 2, 3].map(() => shop.execute(query)));
    await gate.waitForArrivals();
    answers.push(await shop.execute(query));
    expect(answers.map(({ body }) => body)).toEqual([old, old, old, old]);
    expect(answers[0]?.headers.get('cache-control')).toBe('public, max-age=0');
    gate.open();
    expect((await shop.executeUntilFresh(query)).body).toEqual({ data: { top: { id: '1', stock: 8 } } });
    expect(shop.requestedStockIds()).toEqual([['1'], ['1']]);
  });

  test.each(['onStart', 'onEnd'] as const)(
    'refreshes and responses do not depend on the span processor of the application, whose %s fails',
    async (failing) => {
      let isFailing = false;
      const failIn = (hook: typeof failing) => () => {
        if (isFailing && hook === failing) throw new Error('fault');
      };
      const spanProcessor = {
        onStart: failIn('onStart'),
        onEnd: failIn('onEnd'),
        forceFlush: async () => {},
        shutdown: async () => {},
      };
      const lines: string[] = [];
      const write = (line: string) => void lines.push(line);
      await using shop = await startShop({
        dependencies: {
          tracerProvider: new TracerProvider({ spanProcessors: [spanProcessor] }),
          logger: createLogger('warn', { write } as never),
        },
      });
      const query = '{ top { id stock } }';
      await shop.execute(query);
      isFailing = true;
      for (const stock of [8, 9]) {
        shop.data.stock = stock;
        shop.clock.advanceSeconds(6);
        expect((await shop.execute(query)).body.data).toEqual({
          top: { id: '1', stock: expect.any(Number) },
        });
        expect((await shop.executeUntilFresh(query)).body).toEqual({ data: { top: { id: '1', stock } } });
      }
      expect(lines.map((line) => JSON.parse(line))).toMatchObject([
        {
          problem: 'tracer_provider',
          message: 'fault',
          msg: 'The tracer provider of the application fails: spans are incomplete or lost',
        },
      ]);
    },
  );

  test('stale paths use the names of the client, with list indexes, and list only stale values', async () => {
    await using shop = await startShop();
    await shop.execute('{ left: products(ids: ["1", "3"]) { has: stock } }');
    shop.clock.advanceSeconds(4);
    await shop.execute('{ left: products(ids: ["2"]) { has: stock } }');
    shop.clock.advanceSeconds(2);
    const { body } = await shop.execute('{ left: products(ids: ["1", "2", "3"]) { key: id has: stock } }');
    expect(body).toEqual({
      data: { left: ['1', '2', '3'].map((key) => ({ key, has: 3 })) },
      extensions: staleAt(6, 'revalidating', ['left', 0, 'has'], ['left', 2, 'has']),
    });
  });

  test('an object of a value type has one stale path', async () => {
    await using shop = await startShop();
    const query = '{ top { where: place { aisle shelf } } }';
    await shop.execute(query);
    shop.clock.advanceSeconds(6);
    expect((await shop.execute(query)).body).toEqual({
      data: { top: { where: { aisle: 1, shelf: 's3' } } },
      extensions: staleAt(6, 'revalidating', ['top', 'where']),
    });
  });

  test('a root field has one stale path', async () => {
    await using shop = await startCachedShop({
      cache: { rules: { 'subgraph:catalog': { maxAge: '5s', staleWhileRevalidate: '30s' } } },
    });
    await shop.execute('{ hi: greeting }');
    shop.data.greeting = 'good morning';
    shop.clock.advanceSeconds(6);
    expect((await shop.execute('{ hi: greeting }')).body).toEqual({
      data: { hi: 'hello' },
      extensions: staleAt(6, 'revalidating', ['hi']),
    });
    expect((await shop.executeUntilFresh('{ hi: greeting }')).body).toEqual({ data: { hi: 'good morning' } });
  });

  test.each(['deferSpec=20220824', 'incrementalSpec=v0.2'] as const)(
    'a deferred payload reports its own stale paths (%s)',
    async (format) => {
      await using shop = await startShop();
      const query = '{ top { id ... @defer { here: stock } } }';
      await shop.gateway.executeIncrementally(query, { format }).then((answer) => answer.remaining());
      shop.data.stock = 8;
      shop.clock.advanceSeconds(6);
      const payloads = (await (
        await shop.gateway.executeIncrementally(query, { format })
      ).remaining()) as Payload[];
      const [first] = payloads;
      expect(first?.data).toEqual({ top: { id: '1' } });
      expect(first?.extensions).toBeUndefined();
      const reported = payloads.flatMap(({ extensions, incremental = [] }) => [
        ...(extensions === undefined ? [] : [extensions]),
        ...incremental.flatMap((one) => one.extensions ?? []),
      ]);
      expect(reported).toEqual([staleAt(6, 'revalidating', ['top', 'here'])]);
      expect(payloads.flatMap(({ incremental = [] }) => incremental.map(({ data }) => data))).toEqual([
        { here: 3 },
      ]);
    },
  );

  test('a failed refresh keeps the stale value and is retried after a second', async () => {
    // Time passes only when the test advances it.
    let now = systemTimers.now();
    const timers = { after: systemTimers.after, now: () => now };
    await using shop = await startShop({ dependencies: { timers } });
    const query = '{ top { stock } }';
    await shop.execute(query);
    shop.clock.advanceSeconds(6);
    shop.stock.answerWith(() => ({ kind: 'json', body: { data: null, errors: [{ message: 'Lost.' }] } }));
    await shop.execute(query);
    await shop.stock.waitForCalls(2);
    await shop.stock.calls[1]?.ended;
    // The response was sent before the subgraph answers.
    await shop.execute('{ low { id } }');
    shop.stock.answerWith(undefined);
    shop.data.stock = 8;
    now += 900;
    expect((await shop.execute(query)).body).toMatchObject({ data: { top: { stock: 3 } } });
    expect(shop.requestedStockIds()).toHaveLength(2);
    now += 100;
    expect((await shop.executeUntilFresh(query)).body).toEqual({ data: { top: { stock: 8 } } });
  });

  test('the stale value is served only until the period ends', async () => {
    await using shop = await startShop();
    await shop.execute('{ top { stock } }');
    shop.data.stock = 8;
    shop.clock.advanceSeconds(35);
    expect((await shop.execute('{ top { stock } }')).body).toEqual({ data: { top: { stock: 8 } } });
  });
});

interface Payload {
  readonly data?: unknown;
  readonly extensions?: unknown;
  readonly incremental?: readonly { readonly data?: unknown; readonly extensions?: unknown }[];
}

describe('Within `staleIfError`,', () => {
  test('a stale value replaces an unreachable subgraph, but not after the period', async () => {
    await using shop = await startShop();
    const query = '{ products(ids: ["1", "2"]) { id has: stock } }';
    const before = await shop.execute(query);
    await shop.stock.close();
    shop.clock.advanceSeconds(604);
    const { body, headers } = await shop.execute(query);
    expect(body).toEqual({
      ...before.body,
      extensions: staleAt(604, 'error', ['products', 0, 'has'], ['products', 1, 'has']),
    });
    expect(headers.get('cache-control')).toBe('public, max-age=0');
    shop.clock.advanceSeconds(1);
    const after = (await shop.execute(query)).body;
    expect(after.data).toEqual({ products: ['1', '2'].map((id) => ({ id, has: null })) });
    expect(after.errors?.map(({ extensions }) => extensions?.code)).toEqual([
      'SUBGRAPH_UNREACHABLE',
      'SUBGRAPH_UNREACHABLE',
    ]);
  });

  test('a value that was never stored is missing', async () => {
    await using shop = await startShop();
    await shop.execute('{ products(ids: ["1"]) { stock } }');
    await shop.stock.close();
    shop.clock.advanceSeconds(40);
    const { body } = await shop.execute('{ products(ids: ["1", "2"]) { stock } }');
    expect(body.data).toEqual({ products: [{ stock: 3 }, { stock: null }] });
    expect(body.errors).toMatchObject([
      { path: ['products', 1, 'stock'], extensions: { code: 'SUBGRAPH_UNREACHABLE' } },
    ]);
    expect(body.extensions).toEqual(staleAt(40, 'error', ['products', 0, 'stock']));
  });

  test('a stale value replaces a subgraph that times out', async () => {
    await using shop = await startShop({
      config: { subgraphs: { stock: { timeouts: { attempt: '500ms' } } } },
    });
    // On a stalled machine, the call may time out by itself.
    while ((await shop.execute('{ top { stock } }')).body.errors !== undefined);
    shop.stock.answerWith(() => ({ kind: 'hang' }));
    shop.clock.advanceSeconds(40);
    expect((await shop.execute('{ top { stock } }')).body).toEqual({
      data: { top: { stock: 3 } },
      extensions: staleAt(40, 'error', ['top', 'stock']),
    });
  });

  test.each([
    ['status 503', { kind: 'json', status: 503, body: { errors: [{ message: 'Later.' }] } }],
    ['an invalid GraphQL response', { kind: 'json', body: ['what?'] }],
    [
      'a general error',
      { kind: 'json', body: { data: null, errors: [{ message: 'The database is down.' }] } },
    ],
    [
      'an error of one value',
      {
        kind: 'json',
        body: {
          data: { _entities: [{ __typename: 'Product', stock: null }] },
          errors: [{ message: 'Lost.', path: ['_entities', 0, 'stock'] }],
        },
      },
    ],
  ] as const)('a stale value replaces a failure with %s', async (_, canned) => {
    await using shop = await startShop();
    await shop.execute('{ top { stock } }');
    shop.stock.answerWith(() => canned);
    shop.clock.advanceSeconds(40);
    expect((await shop.execute('{ top { stock } }')).body).toEqual({
      data: { top: { stock: 3 } },
      extensions: staleAt(40, 'error', ['top', 'stock']),
    });
  });

  test.each([
    ['FORBIDDEN', { kind: 'json', body: refused('FORBIDDEN') }],
    ['UNAUTHENTICATED', { kind: 'json', body: refused('UNAUTHENTICATED') }],
    ['status 403', { kind: 'json', status: 403, body: { errors: [{ message: 'No.' }] } }],
  ] as const)('a stale value does not replace a refusal with %s', async (_, canned) => {
    await using shop = await startShop();
    await shop.execute('{ top { stock } }');
    shop.stock.answerWith(() => canned);
    shop.clock.advanceSeconds(40);
    const { body } = await shop.execute('{ top { stock } }');
    expect(body.data).toEqual({ top: { stock: null } });
    expect(body.errors).toHaveLength(1);
    expect(body.extensions).toBeUndefined();
  });

  test.each(['deferSpec=20220824', 'incrementalSpec=v0.2'] as const)(
    'a stale value replaces a failure in a deferred payload (%s)',
    async (format) => {
      await using shop = await startShop();
      const query = '{ top { id ... @defer { stock } } }';
      await shop.gateway.executeIncrementally(query, { format }).then((answer) => answer.remaining());
      await shop.stock.close();
      shop.clock.advanceSeconds(40);
      const payloads = await (await shop.gateway.executeIncrementally(query, { format })).remaining();
      const text = JSON.stringify(payloads);
      expect(text).toContain('{"stock":3}');
      expect(text).toContain(JSON.stringify(staleAt(40, 'error', ['top', 'stock']).tributary.stale));
      expect(text).not.toContain('errors');
    },
  );
});

describe('A value that the schema forbids', () => {
  const entity = (stock: object) => ({ data: { _entities: [{ __typename: 'Product', ...stock }] } });
  const query = '{ top { stock reserved place { aisle } } }';
  const stored = { top: { stock: 3, reserved: 1, place: { aisle: 1 } } };
  const good = { stock: 3, reserved: 1, place: { aisle: 1 } };

  test.each<[string, unknown]>([
    ['a text in place of a number', entity({ ...good, stock: 'abc' })],
    ['an object in place of a number', entity({ ...good, stock: {} })],
    ['an object without the requested fields', entity({})],
    ['a null in a non-null field', entity({ ...good, reserved: null })],
    ['a text in a nested object', entity({ ...good, place: { aisle: 'left' } })],
    ['a text in place of the entity', { data: { _entities: ['abc'] } }],
  ])('is replaced by the stale value, which stays stored: %s', async (_, body) => {
    await using shop = await startShop();
    await shop.execute(query);
    shop.clock.advanceSeconds(40);
    for (const headers of [{}, { 'cache-control': 'no-store' }] as const) {
      shop.stock.answerWith(() => ({ kind: 'json', body, headers }));
      const { body: answer } = await shop.execute(query);
      expect(answer).toEqual({
        data: stored,
        extensions: staleAt(40, 'error', ['top', 'stock'], ['top', 'reserved'], ['top', 'place']),
      });
    }
    expect(shop.stock.calls).toHaveLength(3);
    shop.stock.answerWith(undefined);
    expect((await shop.execute(query)).body).toEqual({ data: stored });
  });

  test('is not stored, and fails a refresh', async () => {
    await using shop = await startShop();
    shop.stock.answerWith(() => ({ kind: 'json', body: entity({ stock: 'abc' }) }));
    const bad = (await shop.execute('{ top { stock } }')).body;
    expect(bad).toMatchObject({
      data: { top: { stock: null } },
      errors: [{ path: ['top', 'stock'], extensions: { code: 'SUBGRAPH_INVALID_RESPONSE' } }],
    });
    shop.stock.answerWith(undefined);
    expect((await shop.execute('{ top { stock } }')).body).toEqual({ data: { top: { stock: 3 } } });
    shop.clock.advanceSeconds(6);
    shop.stock.answerWith(() => ({ kind: 'json', body: entity({ stock: 'abc' }) }));
    await shop.execute('{ top { stock } }');
    await shop.stock.waitForCalls(3);
    await shop.stock.calls[2]?.ended;
    // The refresh is processed before the subgraph gets this request.
    await shop.execute('{ low { id } }');
    shop.clock.advanceSeconds(34);
    expect((await shop.execute('{ top { stock } }')).body).toEqual({
      data: { top: { stock: 3 } },
      extensions: staleAt(40, 'error', ['top', 'stock']),
    });
  });

  test.each<[string, unknown]>([
    ['no value', {}],
    ['null in a non-null field', { low: null }],
    ['null in a list of non-null elements', { low: [{ id: '1' }, null] }],
    ['an object in place of a list', { low: { id: '1' } }],
    ['an element without the requested field', { low: [{}] }],
  ])('of a root field is replaced by the stale value, which stays stored: %s', async (_, data) => {
    await using shop = await startShop();
    await shop.execute('{ low { id } }');
    shop.clock.advanceSeconds(40);
    shop.stock.answerWith(() => ({ kind: 'json', body: { data } }));
    for (const _attempt of [1, 2]) {
      expect((await shop.execute('{ low { id } }')).body).toEqual({
        data: { low: [{ id: '1' }, { id: '2' }] },
        extensions: staleAt(40, 'error', ['low']),
      });
    }
    expect(shop.stock.calls).toHaveLength(3);
  });

  test('leaves valid values of the same answer to be stored', async () => {
    await using shop = await startShop();
    const both = '{ products(ids: ["1", "2"]) { id stock } }';
    await shop.execute(both);
    shop.clock.advanceSeconds(40);
    shop.stock.answerWith(() => ({
      kind: 'json',
      body: {
        data: {
          _entities: [
            { __typename: 'Product', stock: 8 },
            { __typename: 'Product', stock: 'abc' },
          ],
        },
      },
    }));
    const expected = {
      data: {
        products: [
          { id: '1', stock: 8 },
          { id: '2', stock: 3 },
        ],
      },
      extensions: staleAt(40, 'error', ['products', 1, 'stock']),
    };
    expect((await shop.execute(both)).body).toEqual(expected);
    shop.stock.answerWith(() => ({
      kind: 'json',
      body: { data: { _entities: [{ __typename: 'Product', stock: 'abc' }] } },
    }));
    expect((await shop.execute(both)).body).toEqual(expected);
    expect(shop.requestedStockIds()).toEqual([['1', '2'], ['1', '2'], ['2']]);
  });
});

function refused(code: string) {
  return {
    data: { _entities: [{ __typename: 'Product', stock: null }] },
    errors: [{ message: 'No.', path: ['_entities', 0, 'stock'], extensions: { code } }],
  };
}
