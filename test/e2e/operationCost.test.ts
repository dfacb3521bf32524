import { describe, expect, test } from '@jest/globals';
import type { GatewayOptions } from '../../gateway/gateway.ts';
import { type InlineGateway, startInlineGateway } from '../harness/inlineGateway.ts';
import { transports } from '../harness/transports.ts';

const link =
  'extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key", "@cost", "@listSize"])\n';

function start(
  limits: NonNullable<GatewayOptions['limits']>,
  security: NonNullable<GatewayOptions['security']> = {},
): Promise<InlineGateway> {
  const products = [{ __typename: 'Product', id: '1', name: 'Table' }];
  return startInlineGateway({
    subgraphs: [
      {
        name: 'shop',
        link,
        sdl: `type Query { products(first: Int): [Product!]! @listSize(slicingArguments: ["first"], requireOneSlicingArgument: false) }
          type Product @key(fields: "id") @cost(weight: 2) { id: ID! name: String }`,
        resolvers: { Query: { products: () => products } },
      },
    ],
    config: { limits, security },
  });
}

const text = 'query($n: Int) { products(first: $n) { name } }';
const data = { products: [{ name: 'Table' }] };

describe('the estimated cost of an operation', () => {
  test('above limits.cost.max is refused with 400 before anything is fetched, with the values of its variables', async () => {
    await using gateway = await start({ cost: { max: 20 } });
    expect(await gateway.execute(text, { variables: { n: 10 } })).toEqual({ status: 200, body: { data } });
    const { status, body } = await gateway.execute(text, { variables: { n: 11 } });
    expect([status, body]).toEqual([
      400,
      {
        errors: [
          {
            message:
              'The operation has an estimated cost of 22; at most 20 is allowed (limits.cost.max). Select less, or shorter lists.',
            extensions: { limit: 'cost', value: 22, allowed: 20, code: 'OPERATION_TOO_COMPLEX' },
          },
        ],
      },
    ]);
    expect(gateway.subgraph('shop').calls).toHaveLength(1);
    for (const [name, send] of transports) {
      const sent = await send(gateway.url, { query: '{ products(first: 11) { name } }' });
      expect([name, sent]).toEqual([name, 'OPERATION_TOO_COMPLEX']);
    }
  });

  test('is in the extensions of responses with security.exposeSubgraphs, of single ones with the actual cost', async () => {
    await using gateway = await start({ cost: { listSize: 7 } }, { exposeSubgraphs: true });
    const ms = expect.any(Number);
    const times = {
      criticalPath: [{ subgraph: 'shop', path: [], ms }],
      timings: { planningMs: ms, budgetMs: 0, shapingMs: ms },
    };
    const extensions = { tributary: { cost: 14, actualCost: 2, ...times } };
    expect(await gateway.execute(text)).toEqual({ status: 200, body: { data, extensions } });
    // The second time, without Apollo Server.
    expect(await gateway.execute(text)).toEqual({ status: 200, body: { data, extensions } });
    await using deferred = await gateway.executeIncrementally(
      '{ products(first: 3) { id ... @defer { name } } }',
    );
    const [first, ...others] = await deferred.remaining();
    expect(others).toHaveLength(1);
    for (const payload of [first, ...others]) {
      expect(payload).toMatchObject({ extensions: { tributary: { cost: 6 } } });
      expect(payload).not.toHaveProperty('extensions.tributary.actualCost');
    }
  });

  test('is not shown and limits nothing by default', async () => {
    await using gateway = await start({});
    expect(await gateway.execute(text, { variables: { n: 1_000_000 } })).toEqual({
      status: 200,
      body: { data },
    });
  });

  test('is what an operation spends of its rate limit', async () => {
    await using gateway = await start({ rate: { cost: 10, window: '1h' } });
    const send = async (n: number) => {
      const { status, body } = await gateway.execute(text, { variables: { n } });
      const [error] = (body.errors ?? []) as { extensions: Record<string, unknown> }[];
      return [status, error?.extensions.code];
    };
    expect(await send(6)).toEqual([400, 'OPERATION_TOO_COMPLEX']);
    expect(await send(3)).toStrictEqual([200, undefined]);
    expect(await send(3)).toEqual([429, 'RATE_LIMITED']);
    expect(await send(2)).toStrictEqual([200, undefined]);
    expect(await send(0)).toEqual([429, 'RATE_LIMITED']);
  });
});

test('with a limit, a field whose list has no size is refused if it requires a slicing argument', async () => {
  await using gateway = await startInlineGateway({
    subgraphs: [
      {
        name: 'shop',
        link,
        sdl: `type Query { names(first: Int, last: Int): [String] @listSize(assumedSize: 5, slicingArguments: ["first", "last"]) }`,
        resolvers: { Query: { names: () => ['a'] } },
      },
    ],
    config: { limits: { cost: { max: 100 } } },
  });
  const { status, body } = await gateway.execute('{ names }');
  expect([status, body]).toEqual([
    400,
    {
      errors: [
        {
          message:
            'The field Query.names needs exactly one of the arguments that limit the size of its list.',
          extensions: { code: 'OPERATION_TOO_COMPLEX' },
        },
      ],
    },
  ]);
  expect((await gateway.execute('{ names(last: 2) }')).body).toEqual({ data: { names: ['a'] } });
});
