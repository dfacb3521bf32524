import { describe, expect, test } from '@jest/globals';
import type { Execution } from '../../../gateway/execution/execution.ts';
import type { StaleValue } from '../../../gateway/execution/executionDiagnostics.ts';
import { type DeliveredData, mergeStale, StaleFields } from '../../../gateway/response/staleExtension.ts';
import { runToCompletion } from '../../../gateway/time/slicedTask.ts';
import { schemaOf } from '../../harness/normalize.ts';
import { prepareText } from '../../harness/prepareText.ts';

const schema = schemaOf(`
  type Query { product: Product products: [Product!] media: Media }
  type Product { id: ID! name: String stock: Int price: Int! maker: Maker }
  type Maker { name: String! }
  interface Media { id: ID! }
  type Book implements Media { id: ID! pages: Int }
  type Film implements Media { id: ID! minutes: Int pages: Int }
`);

function fieldsOf(query: string, tree: Record<string, unknown>, staleValues: StaleValue[]): StaleFields {
  return new StaleFields(prepareText(schema, query), { tree, staleValues } as unknown as Execution);
}

function old(path: (string | number)[], ageMs = 1, group = 0): StaleValue {
  return { path, ageMs, reason: 'revalidating', group };
}

function extensionOf(fields: StaleFields, group = 0, delivered?: readonly DeliveredData[]) {
  return runToCompletion(fields.extensionOfGroups(new Set([group]), delivered));
}

const pathsOf = (fields: StaleFields, group = 0, delivered?: readonly DeliveredData[]) =>
  extensionOf(fields, group, delivered)?.stale.map(({ path }) => path.join('.'));

describe('a stale value', () => {
  test("is reported by the client's path, with its age in whole milliseconds and the reason, in order of arrival", () => {
    const tree = { product: { _alias_4_name_id: 'n', left: 1 } };
    const fields = fieldsOf('{ product { id: name left: stock } }', tree, [
      { path: ['product', 'left'], ageMs: 5_312.4, reason: 'error', group: 0 },
      old(['product', '_alias_4_name_id'], 10),
    ]);
    expect(extensionOf(fields)).toEqual({
      stale: [
        { path: ['product', 'left'], ageMs: 5312, reason: 'error' },
        { path: ['product', 'id'], ageMs: 10, reason: 'revalidating' },
      ],
    });
  });

  test('is reported once per path, with the greatest age', () => {
    const tree = { product: { stock: 1 } };
    const stale = [old(['product'], 3), old(['product', 'stock']), old(['product'], 7), old(['product'], 5)];
    expect(extensionOf(fieldsOf('{ product { stock } }', tree, stale))?.stale).toEqual([
      { path: ['product'], ageMs: 7, reason: 'revalidating' },
      { path: ['product', 'stock'], ageMs: 1, reason: 'revalidating' },
    ]);
  });

  test('is not reported when the client did not select it, or selected it on other types only', () => {
    const tree = { product: { id: '1', stock: 1 }, media: { __typename: 'Film', id: '2', pages: 3 } };
    const query = '{ product { stock } media { id ... on Book { pages } } }';
    const stale = [old(['product', 'id']), old(['media', 'pages']), old(['media', 'id'])];
    expect(pathsOf(fieldsOf(query, tree, stale))).toEqual(['media.id']);
  });

  test('is not reported when no fetch returned it or its object', () => {
    const stale = [old(['product', 'stock']), old(['products', 1, 'name']), old(['products', 0, 'name'])];
    const query = '{ product { stock } products { name } }';
    expect(pathsOf(fieldsOf(query, { product: null, products: [{}] }, stale))).toBeUndefined();
  });

  test('is reported when it is null itself, but not when a propagated null replaced it', () => {
    const tree = { product: { price: null, name: null, maker: { name: null } }, products: [{ name: 'n' }] };
    const query = '{ product { name price maker { name } } products { name } }';
    const at = (data: Record<string, unknown> | null): DeliveredData[] => [{ path: [], data }];
    const stale = [
      old(['product', 'name']),
      old(['product', 'maker']),
      old(['product', 'maker', 'name']),
      old(['products', 0, 'name']),
    ];
    expect(
      pathsOf(fieldsOf(query, tree, stale), 0, at({ product: { name: null, maker: null }, products: null })),
    ).toEqual(['product.name']);
    expect(pathsOf(fieldsOf(query, tree, stale), 0, at(null))).toBeUndefined();
  });

  test('is listed among the first hundred, and the others are counted', () => {
    const list = Array.from({ length: 130 }, () => ({ name: 'n', stock: 1 }));
    // What is not told anyway does not count.
    const stale = list.flatMap((_, i) => [old(['products', i, 'stock']), old(['products', i, 'name'])]);
    const some = extensionOf(fieldsOf('{ products { name } }', { products: list }, stale));
    expect([some?.stale.length, some?.stale[99]?.path, some?.staleOmitted]).toEqual([
      100,
      ['products', 99, 'name'],
      30,
    ]);
    const all = extensionOf(fieldsOf('{ products { name } }', { products: list.slice(30) }, stale));
    expect([all?.stale.length, all?.staleOmitted]).toStrictEqual([100, undefined]);
  });

  test('is reported in slices when there are thousands', () => {
    const list = Array.from({ length: 1000 }, () => ({ name: 'n' }));
    const stale = list.map((_, i) => old(['products', i, 'name']));
    const work = fieldsOf('{ products { name } }', { products: list }, stale).extensionOfGroups(
      new Set([0]),
      undefined,
    );
    let pauses = 0;
    while (work.next().done !== true) pauses++;
    expect(pauses).toBeGreaterThanOrEqual(10);
  });

  test('is not found on the prototype of an object', () => {
    const stale = [old(['product', 'toString'])];
    expect(pathsOf(fieldsOf('{ product { toString: name } }', { product: {} }, stale))).toBeUndefined();
  });
});

test('the stale values of several payloads are listed up to a hundred, and all others counted', () => {
  const entries = (name: string, count: number) =>
    Array.from({ length: count }, (_, n) => ({ path: [name, n], ageMs: 1, reason: 'error' as const }));
  const merged = mergeStale(
    { stale: entries('first', 60), staleOmitted: 2 },
    { stale: entries('second', 60), staleOmitted: 3 },
  );
  expect(merged).toEqual({ stale: [...entries('first', 60), ...entries('second', 40)], staleOmitted: 25 });
  expect(mergeStale({}, { stale: entries('only', 1) })).toEqual({ stale: entries('only', 1) });
  expect(mergeStale({}, {})).toBeUndefined();
});

describe('a stale value of an incremental response', () => {
  const query = '{ products { name ... @defer { stock maker { name } } } }';
  const tree = () => ({
    products: [
      { name: 'a', stock: 1, maker: { name: 'm' } },
      { name: 'b', stock: 2, maker: { name: 'm' } },
    ],
  });
  const first: DeliveredData[] = [{ path: [], data: { products: [{ name: 'a' }, { name: 'b' }] } }];
  const second: DeliveredData[] = [
    { path: ['products', 0], data: { stock: 1, maker: { name: 'm' } } },
    { path: ['products', 1], data: null },
  ];

  test('is reported with the payload of its group', () => {
    const stale = [
      old(['products', 0, 'stock'], 1, 1),
      old(['products', 0, 'name']),
      old(['products', 0, 'maker', 'name'], 1, 1),
    ];
    const fields = fieldsOf(query, tree(), stale);
    expect(pathsOf(fields, 0, first)).toEqual(['products.0.name']);
    expect(pathsOf(fields, 1, second)).toEqual(['products.0.stock', 'products.0.maker.name']);
    expect(pathsOf(fields, 1, second)).toBeUndefined();
  });

  test('is reported with the payload that has it when an earlier group fetched it', () => {
    const fields = fieldsOf(query, tree(), [old(['products', 0, 'stock'])]);
    expect(pathsOf(fields, 0, first)).toBeUndefined();
    expect(pathsOf(fields, 1, second)).toEqual(['products.0.stock']);
  });

  test('is not reported when its fragment failed', () => {
    const fields = fieldsOf(query, tree(), [old(['products', 1, 'stock'], 1, 1)]);
    expect(pathsOf(fields, 0, first)).toBeUndefined();
    expect(pathsOf(fields, 1, second)).toBeUndefined();
  });

  test('is reported when it arrives with a later group', () => {
    const stale = [old(['products', 0, 'name'])];
    const fields = fieldsOf(query, tree(), stale);
    expect(pathsOf(fields, 0, first)).toEqual(['products.0.name']);
    stale.push(old(['products', 0, 'stock'], 1, 1));
    expect(pathsOf(fields, 1, second)).toEqual(['products.0.stock']);
  });

  test('is reported for an object of which the payload has some fields', () => {
    const fields = fieldsOf(query, tree(), [old(['products'], 1, 1)]);
    expect(pathsOf(fields, 1, second)).toEqual(['products']);
  });
});
