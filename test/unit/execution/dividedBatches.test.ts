import { describe, expect, test } from '@jest/globals';
import { GatewayError } from '../../../gateway/errors.ts';
import type { FakeSubgraphClient } from '../../harness/fakeSubgraphClient.ts';
import { createFetchCall, createRequestContext, entityFetch, shapeOf } from '../../harness/fetchNodes.ts';
import { waitForTurns } from '../../harness/waitForTurns.ts';
import { answered, send, started, typed } from './batcherFixture.ts';

describe('a batch of several clients without data', () => {
  /** The subgraph has no data for a request with one of these ids. Resolves to the number of calls. */
  const answerAll = async (client: FakeSubgraphClient, failing: ReadonlySet<string>): Promise<number> => {
    let count = 0;
    for (await waitForTurns(2); client.calls.length > 0; await waitForTurns(2)) {
      for (const { body, answer } of client.calls.splice(0)) {
        count += 1;
        const ids = (body.variables.representations as { id: string }[]).map(({ id }) => id);
        if (ids.some((id) => failing.has(id)))
          answer({ data: null, errors: [{ message: 'bad id', path: ['_entities'] }] });
        else answer({ data: { _entities: ids.map((id) => ({ stock: id })) } });
      }
    }
    return count;
  };
  const failed = (): unknown =>
    answered(undefined, [
      { entry: { message: 'bad id', path: ['_entities'] }, entityIndex: undefined, path: [] },
    ]);

  test.each([
    ['one of three fails', 3, ['1'], 4],
    ['one of 200 fails', 200, ['77'], 21],
    ['all of 200 fail', 200, Array.from({ length: 200 }, (_, n) => String(n)), 273],
  ])(
    'is divided until no client fails another one, with few more calls, when %s',
    async (_, count, bad, expectedCalls) => {
      const { client, requests } = started({ maxBatchSize: 200 });
      const failing = new Set(bad);
      const calls = Array.from({ length: count }, (_each, n) => createFetchCall([String(n)]));
      const sent = calls.map((call) => send(requests, call));
      expect(await answerAll(client, failing)).toBe(expectedCalls);
      expect(calls.map(({ results }) => results)).toEqual(
        calls.map((_call, n) => [failing.has(String(n)) ? failed() : answered([{ stock: String(n) }])]),
      );
      expect(sent.every(({ isDone }) => isDone)).toBe(true);
    },
  );

  test('is divided without a client that has left, and the others may still leave', async () => {
    const { client, requests } = started();
    const [gone, leaving, last] = ['1', '2', '3'].map((id) => send(requests, createFetchCall([id])));
    await waitForTurns(2);
    gone?.cancel();
    client.calls[0]?.answer({ data: null, errors: [{ message: 'bad id', path: ['_entities'] }] });
    leaving?.cancel();
    expect(client.calls.map(({ body, isCancelled }) => [body.variables, isCancelled])).toEqual([
      [{ representations: ['1', '2', '3'].map(typed) }, false],
      [{ representations: [typed('2')] }, true],
      [{ representations: [typed('3')] }, false],
    ]);
    last?.cancel();
    expect(client.calls[2]?.isCancelled).toBe(true);
  });

  test('is divided by client after it was divided by fetch', async () => {
    const { client, requests } = started();
    const price = ['1', '2'].map((id) => createFetchCall([id], { shape: shapeOf(entityFetch('price')) }));
    for (const [n, call] of price.entries()) send(requests, createFetchCall([`${n + 1}`]), call);
    await waitForTurns(2);
    client.calls.shift()?.answer({ data: null, errors: [{ message: 'bad id', path: ['_e1'] }] });
    expect(await answerAll(client, new Set(['2']))).toBe(6);
    expect(price.map(({ results }) => results)).toEqual([[answered([{ stock: '1' }])], [failed()]]);
  });

  test.each([
    ['the error has no path', [['1'], ['2']], { errors: [{ message: 'down' }] }],
    ['there is no error', [['1'], ['2']], {}],
    [
      'all have the same entities',
      [
        ['1', '2'],
        ['2', '1'],
      ],
      { errors: [{ message: 'bad id', path: ['_entities'] }] },
    ],
  ])('is not divided when %s', async (_, ids, response) => {
    const { client, requests } = started();
    const calls = ids.map((own) => createFetchCall(own));
    for (const call of calls) send(requests, call);
    await waitForTurns(2);
    await client.answer(0, { data: null, ...response }, 2);
    expect([client.calls.length, ...calls.map(({ results }) => results.length)]).toEqual([1, 1, 1]);
  });
});

describe('one HTTP request for several fetches of one client', () => {
  const both = (...ids: string[]) => [
    createFetchCall(ids),
    createFetchCall(ids, { shape: shapeOf(entityFetch('price')) }),
  ];

  test.each([
    ['the circuit of one of them is open', new GatewayError('CIRCUIT_OPEN', 'open')],
    ['one of them fails as a whole', { data: null, errors: [{ message: 'all of it' }] }],
  ])('is divided when %s, and stays shared by several clients', async (_, outcome) => {
    const { client, requests } = started();
    const sent = [send(requests, ...both('1')), send(requests, ...both('2'))];
    await waitForTurns(2);
    if (outcome instanceof GatewayError) client.calls[0]?.receiver.onError(outcome);
    else client.calls[0]?.answer(outcome);
    await waitForTurns(2);
    expect(client.calls.slice(1).map(({ body }) => body.variables)).toEqual(
      Array(2).fill({ representations: [typed('1'), typed('2')] }),
    );
    for (const { answer } of client.calls.slice(1)) answer({ data: { _entities: [{}, {}] } });
    await waitForTurns(2);
    expect(sent.map(({ isDone }) => isDone)).toEqual([true, true]);
  });

  test('is divided from the start ten times after one of them has failed it, and not the time after', async () => {
    const { client, requests } = started({ acrossRequests: false });
    const callsOfNext = async (data: Record<string, unknown> | null): Promise<number> => {
      const sent = send(requests, ...both('1'));
      const count = client.calls.length;
      for (const { answer } of client.calls.splice(0)) answer({ data });
      // Divided afterwards.
      for (const { answer } of client.calls.splice(0)) answer({ data: { _entities: [{}] } });
      await waitForTurns(2);
      expect(sent.isDone).toBe(true);
      return count;
    };
    expect(await callsOfNext(null)).toBe(1);
    for (let n = 0; n < 10; n++) expect(await callsOfNext({ _entities: [{}] })).toBe(2);
    expect(await callsOfNext({ _e0: [{}], _e1: [{}] })).toBe(1);
    expect(await callsOfNext({ _e0: [{}], _e1: [{}] })).toBe(1);
  });

  test.each([401, 429, 500, 503])(
    'is not divided when the subgraph refuses or fails everything with status %d, which would multiply its calls',
    async (failureStatus) => {
      const { client, requests } = started();
      const calls = both('1');
      send(requests, ...calls);
      await waitForTurns(2);
      const down = { message: 'down' };
      await client.answer(0, { errors: [down], failureStatus }, 2);
      expect(client.calls).toHaveLength(1);
      expect(calls.map(({ results }) => results)).toMatchObject(
        Array(2).fill([{ kind: 'completed', errors: [{ entry: down, path: [] }] }]),
      );
    },
  );

  test('does not settle a fetch after another one has cancelled the request', async () => {
    const { client, requests } = started({ acrossRequests: false });
    const second = createFetchCall(['1'], { shape: shapeOf(entityFetch('price')) });
    const first = createFetchCall(['1'], {
      settle: (_, done) => {
        sent.cancel();
        done();
      },
    });
    const sent = send(requests, first, second);
    client.calls[0]?.answer({ data: { _e0: [{ stock: 1 }], _e1: [{ price: 1 }] } });
    expect([second.results, sent.isDone]).toEqual([[], false]);
  });

  test('returns to each fetch its own entities and errors, under its own names', async () => {
    const { client, requests } = started({ acrossRequests: false });
    const stock = createFetchCall(['1', '2']);
    const price = createFetchCall(['1'], {
      shape: shapeOf(
        entityFetch('price(in:$c)', {
          variableUsages: ['c'],
          operation:
            'query Q($representations:[_Any!]!,$c:String){_entities(representations:$representations){...on Product{price(in:$c)}}}',
        }),
      ),
      requestContext: createRequestContext({ variables: { c: 'EUR' } }),
    });
    send(requests, stock, price);
    const [call] = client.calls;
    expect(call?.body).toEqual({
      query: expect.stringMatching(
        /_e0: _entities\(representations: \$representations_0\)[\s\S]*_e1: _entities\(representations: \$representations_1\)[\s\S]*price\(in: \$c_1\)/,
      ),
      variables: {
        representations_0: [typed('1'), typed('2')],
        representations_1: [typed('1')],
        c_1: 'EUR',
      },
    });
    call?.answer({
      data: { _e0: [{ stock: 1 }, { stock: 2 }], _e1: [null] },
      errors: [{ message: 'no price', path: ['_e1', 0, 'price'] }],
    });
    expect(stock.results).toEqual([answered([{ stock: 1 }, { stock: 2 }])]);
    expect(price.results).toEqual([
      answered(
        [null],
        [{ entry: { message: 'no price', path: ['_e1', 0, 'price'] }, entityIndex: 0, path: ['price'] }],
      ),
    ]);
  });
});
