import { beforeEach, describe, expect, test } from '@jest/globals';
import type { GatewayOptions } from '../../gateway/gateway.ts';
import { type InlineSubgraph, startInlineGateway } from '../harness/inlineGateway.ts';
import { postJson } from '../harness/postJson.ts';
import { disposeAfterSuite } from '../harness/suiteResources.ts';

/** The fields that `new` takes over, by their labels. */
const labels = {
  none: 'percent(0)',
  few: 'percent(0.5)',
  some: 'percent(25)',
  most: 'percent(99.12345678)',
  all: 'percent(100)',
  price: 'percent(50)',
  stopped: 'percent(60)',
  forgotten: 'unheard-of',
  started: 'launch',
  partly: 'beta',
};
const fields = Object.entries(labels);

/** Each field says which subgraph it came from. */
const subgraphs: InlineSubgraph[] = [
  {
    name: 'old',
    sdl: `
      type Query { product: Product shelf: [Product!]! clerk: String place: String }
      type Mutation { buy: Product sell: Product }
      type Product @key(fields: "id") { id: ID! name: String ${fields.map(([name]) => `${name}: String`).join(' ')} }
    `,
    resolvers: {
      Query: {
        product: () => ({ id: 'p' }),
        shelf: () => [{ id: 'p' }, { id: 'q' }],
        clerk: () => 'Cleo',
        place: () => 'old',
      },
      Mutation: { buy: () => ({ id: 'old' }), sell: () => ({ id: 'old' }) },
      Product: {
        name: ({ id }: never) => `name ${id}`,
        ...Object.fromEntries(fields.map(([name]) => [name, () => 'old'])),
      },
    },
  },
  {
    name: 'new',
    sdl: `
      type Query { place: String @override(from: "old", label: "percent(50)") }
      type Mutation { buy: Product @override(from: "old", label: "percent(50)") }
      type Product @key(fields: "id") { id: ID! ${fields
        .map(([name, label]) => `${name}: String @override(from: "old", label: "${label}")`)
        .join(' ')} }`,
    resolvers: {
      Query: { place: () => 'new' },
      Mutation: { buy: () => ({ id: 'new' }) },
      Product: Object.fromEntries(fields.map(([name]) => [name, () => 'new'])),
    },
  },
  {
    name: 'shipping',
    sdl: `
      type Product @key(fields: "id") {
        id: ID!
        name: String @external
        cost: String @requires(fields: "name")
        parcel: Parcel
      }
      type Parcel @key(fields: "id") { id: ID! contents: Product }
    `,
    resolvers: {
      Product: { cost: ({ price }: never) => `by ${price}`, parcel: () => ({ id: 'b' }) },
      Parcel: { contents: () => ({ id: 'p' }) },
    },
  },
];

/** The composer finds no way to a `@requires` of a field with a progressive `@override`. There is one, and other
 *  composers find it. */
const requiringPrice = (sdl: string): string =>
  sdl
    .replace('requires: "name"', 'requires: "name price"')
    .replace(/^ {2}price: String /m, '$&@join__field(graph: SHIPPING, external: true) ');

let drawn = 0;
/** Lie evenly from 0 up to 1: 0, 0.01 … 0.99, and again. */
const random = (): number => (drawn++ % 100) / 100;

const open = (config: Partial<GatewayOptions>) =>
  startInlineGateway({ subgraphs, transformSupergraph: requiringPrice, config, dependencies: { random } });

const gateway = await open({
  limits: { batchedOperations: 2 },
  override: { labels: { launch: true, beta: 12.5, 'percent(60)': false } },
});
disposeAfterSuite(gateway);
beforeEach(() => {
  drawn = 0;
});

/** How often each answer came in a hundred requests. */
async function countAnswers(query: string): Promise<Map<unknown, number>> {
  const counts = new Map<string, number>();
  for (let time = 0; time < 100; time += 1) {
    const answer = JSON.stringify((await gateway.execute(query)).body);
    counts.set(answer, (counts.get(answer) ?? 0) + 1);
  }
  return new Map(Array.from(counts, ([answer, count]) => [JSON.parse(answer).data, count]));
}

describe('an @override with a percentage', () => {
  test('applies to that share of requests, and a larger percentage includes the requests of a smaller one', async () => {
    expect([...(await countAnswers('{ product { none few some price most all } }'))]).toEqual([
      [{ product: { none: 'old', few: 'new', some: 'new', price: 'new', most: 'new', all: 'new' } }, 1],
      [{ product: { none: 'old', few: 'old', some: 'new', price: 'new', most: 'new', all: 'new' } }, 24],
      [{ product: { none: 'old', few: 'old', some: 'old', price: 'new', most: 'new', all: 'new' } }, 25],
      [{ product: { none: 'old', few: 'old', some: 'old', price: 'old', most: 'new', all: 'new' } }, 50],
    ]);
  });

  test('is decided once for a request, at every path of the field and where it is required', async () => {
    const query = '{ product { price cost parcel { contents { price cost } } } shelf { cost } }';
    const from = (side: string) => ({
      product: { price: side, cost: `by ${side}`, parcel: { contents: { price: side, cost: `by ${side}` } } },
      shelf: [{ cost: `by ${side}` }, { cost: `by ${side}` }],
    });
    expect([...(await countAnswers(query))]).toEqual([
      [from('new'), 50],
      [from('old'), 50],
    ]);
  });

  test('applies to root fields, and to mutations whose fields are planned one by one', async () => {
    const { body } = await gateway.execute('mutation { sell { id cost } buy { id price } }');
    expect(body).toEqual({
      data: { sell: { id: 'old', cost: 'by new' }, buy: { id: 'new', price: 'new' } },
    });
    drawn = 50;
    const { body: late } = await gateway.execute('mutation { sell { id cost } buy { id price } }');
    expect(late).toEqual({
      data: { sell: { id: 'old', cost: 'by old' }, buy: { id: 'old', price: 'old' } },
    });
    expect((await gateway.execute('{ place }')).body).toEqual({ data: { place: 'old' } });
  });

  test('is decided once for all operations of an HTTP request', async () => {
    for (const draws of [1, 2]) {
      const response = await postJson(gateway.url, [
        { query: '{ product { price } }' },
        { query: '{ shelf { cost } }' },
      ]);
      expect([await response.json(), drawn]).toEqual([
        [
          { data: { product: { price: 'new' } } },
          { data: { shelf: [{ cost: 'by new' }, { cost: 'by new' }] } },
        ],
        draws,
      ]);
    }
  });

  test.each(['deferSpec=20220824', 'incrementalSpec=v0.2'] as const)(
    'is decided once for all payloads of a deferred answer: %s',
    async (format) => {
      const query = '{ product { price ... @defer { cost parcel { contents { price } } } } }';
      for (const [draw, side] of [
        [49, 'new'],
        [50, 'old'],
      ] as const) {
        drawn = draw;
        await using answer = await gateway.executeIncrementally(query, { format });
        const text = JSON.stringify(await answer.remaining());
        expect(text).toContain(`"data":{"product":{"price":"${side}"}}`);
        expect(text).toContain(`"data":{"cost":"by ${side}","parcel":{"contents":{"price":"${side}"}}}`);
        expect(drawn).toBe(draw + 1);
      }
    },
  );

  test('is not decided if no field of the operation depends on it', async () => {
    await gateway.execute('{ clerk shelf { name id } }');
    expect(drawn).toBe(0);
    await gateway.execute('{ product { cost } }');
    expect(drawn).toBe(1);
  });
});

describe('an @override by identity', () => {
  test('stays the same for an identity on every gateway, and a larger percentage includes the identities of a smaller one', async () => {
    const config = { security: { identity: { header: 'X-User' } } };
    await using one = await open(config);
    await using other = await open(config);
    const answers: unknown[] = [];
    for (let index = 0; index < 40; index += 1) {
      const options = { headers: { 'x-user': `user-${index}` } };
      const query = '{ product { some price } }';
      const first = await one.execute(query, options);
      expect(await one.execute(query, options)).toEqual(first);
      expect(await other.execute(query, options)).toEqual(first);
      answers.push((first.body.data as { product: unknown }).product);
    }
    const count = (some: string, price: string) =>
      answers.filter((answer) => JSON.stringify(answer) === JSON.stringify({ some, price })).length;
    expect(count('new', 'old')).toBe(0);
    // The values follow from the hash function. Changing it would move identities between subgraphs.
    expect([count('new', 'new'), count('old', 'new'), count('old', 'old')]).toEqual([10, 8, 22]);
    expect(drawn).toBe(0);

    await one.execute('{ product { price } }');
    await one.execute('{ product { price } }', { headers: { 'x-user': '' } });
    expect(drawn).toBe(2);
  });
});

describe('the configuration of overrides', () => {
  test('sets labels without a percentage, and overrides one with a percentage', async () => {
    expect([...(await countAnswers('{ product { forgotten started partly stopped } }'))]).toEqual([
      [{ product: { forgotten: 'old', started: 'new', partly: 'new', stopped: 'old' } }, 13],
      [{ product: { forgotten: 'old', started: 'new', partly: 'old', stopped: 'old' } }, 87],
    ]);
  });
});

describe('the plan on the admin listener', () => {
  const plan = async (...overrides: string[]): Promise<{ status: number; text: string }> => {
    const search = new URLSearchParams([
      ['operation', '{ product { price partly } }'],
      ...overrides.map((label) => ['override', label]),
    ]);
    const response = await fetch(`${gateway.adminUrl}/plan?${search}`);
    return { status: response.status, text: await response.text() };
  };
  const subgraphsIn = ({ text }: { text: string }) =>
    Array.from(text.matchAll(/Fetch\(service: "(\w+)"/g), ([, name]) => name);

  test('has every label off unless labels are given', async () => {
    expect(subgraphsIn(await plan())).toEqual(['old']);
    const one = await plan('percent(50)');
    expect([subgraphsIn(one), /partly[\s\S]*"new"[\s\S]*price/.test(one.text)]).toEqual([
      ['old', 'new'],
      true,
    ]);
    const both = await plan('percent(50)', 'beta');
    expect([subgraphsIn(both), /"new"[\s\S]*price\s+partly/.test(both.text)]).toEqual([['old', 'new'], true]);
  });

  test('lists the known labels for an unknown one', async () => {
    const known = Object.values(labels).sort().join(', ');
    expect(await plan('percent(26)')).toEqual({
      status: 400,
      text: JSON.stringify({
        error: `No @override has the label "percent(26)": the supergraph has ${known}.`,
      }),
    });
  });
});
