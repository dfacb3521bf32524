import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { collectTargets, parseFlattenPath } from '../../../gateway/execution/flattenPath.ts';
import {
  createInterningCollector,
  type InterningCollector,
  type SharedObjects,
} from '../../../gateway/execution/internedTargets.ts';
import type { ResponseObject } from '../../../gateway/execution/responseTree.ts';

const path = parseFlattenPath(['orders', '@', 'lines', '@', 'product']);
const fields = new Map([
  ['', ['orders']],
  ['orders', ['id', 'lines', 'note']],
  ['orders.lines', ['id', 'amount', 'product']],
  ['orders.lines.product', ['__typename', 'upc', 'size', 'tags']],
]);
const intern = createInterningCollector(path, fields) as InterningCollector;

/** Few different values, so that many objects are equal. Subgraphs may return anything. */
const value = fc
  .constantFrom<unknown>(null, undefined, 'a', 'b', 1, [], ['a'], {})
  .map((constant) => structuredClone(constant));
const product = fc.record({
  __typename: fc.constantFrom('Book', 'Film'),
  upc: value,
  size: fc.constantFrom(1, 2),
  tags: fc.constantFrom<unknown>(undefined, null, 'x'),
});
const list = (element: fc.Arbitrary<unknown>) =>
  fc.oneof({ weight: 9, arbitrary: fc.array(element, { maxLength: 6 }) }, { weight: 1, arbitrary: value });
const line = fc.record({
  id: value,
  amount: fc.constantFrom(1, 2),
  product: fc.oneof({ weight: 9, arbitrary: product }, value),
});
const order = fc.record({ id: value, lines: list(line), note: value });
const tree = fc.record({ orders: list(order) }) as fc.Arbitrary<ResponseObject>;

describe('an interning collector', () => {
  test('leaves the content of the tree as it is, and returns each object at the path once', () => {
    let sharedCount = 0;
    fc.assert(
      fc.property(tree, (root) => {
        const before = structuredClone(root);
        const shared: SharedObjects = new Map();
        const targets = intern(root, shared);
        expect(root).toEqual(before);
        expect(new Set(targets)).toEqual(new Set(collectTargets(root, path)));
        expect(new Set(targets).size).toBe(targets.length);
        sharedCount += shared.size;
        expect(new Set(intern(root, shared))).toEqual(new Set(targets));
      }),
      { numRuns: 500 },
    );
    expect(sharedCount).toBeGreaterThan(10);
  });

  test('makes equal objects one from the inside out, with lists that have the same elements', () => {
    const orderOf = (upc: string) => ({
      id: '1',
      lines: [{ id: 'l', amount: 1, product: { __typename: 'Book', upc } }],
    });
    const root = { orders: [orderOf('u'), orderOf('u'), orderOf('v')] };
    const shared: SharedObjects = new Map();
    expect(intern(root, shared)).toEqual([
      { __typename: 'Book', upc: 'u' },
      { __typename: 'Book', upc: 'v' },
    ]);
    expect(root.orders[1]).toBe(root.orders[0]);
    expect(root.orders[2]).not.toBe(root.orders[0]);
    expect(shared.has(root.orders[0] as object as ResponseObject)).toBe(true);
  });

  test('keeps objects apart that differ in one field, or in the object that a field holds', () => {
    const root = {
      orders: [
        { id: '1', note: { text: 'a' }, lines: [{ product: { upc: 'u', size: 1 } }] },
        { id: '1', note: { text: 'a' }, lines: [{ product: { upc: 'u', size: 2 } }] },
      ],
    };
    expect(intern(root, new Map())).toHaveLength(2);
    expect(root.orders[0]).not.toBe(root.orders[1]);
  });

  test('keeps objects apart of which one has more elements in a list', () => {
    const lineOf = (upc: string) => ({ id: 'l', amount: 1, product: { __typename: 'Book', upc } });
    const root = {
      orders: [
        { id: '1', lines: [lineOf('u')] },
        { id: '1', lines: [lineOf('u'), lineOf('v')] },
      ],
    };
    const before = structuredClone(root);
    expect(intern(root, new Map())).toHaveLength(2);
    expect(root).toEqual(before);
  });

  test('finds equal objects among more than can be compared one by one', () => {
    const products = Array.from({ length: 90 }, (_, n) => ({ product: { upc: `u${n % 30}` } }));
    const root = { orders: [{ lines: products }] };
    const shared: SharedObjects = new Map();
    const targets = intern(root, shared);
    expect(targets.map(({ upc }) => upc)).toEqual(Array.from({ length: 30 }, (_, n) => `u${n}`));
    expect(products.map(({ product }) => product)).toEqual([...targets, ...targets, ...targets]);
    for (const [n, { product }] of products.entries()) expect(product).toBe(targets[n % 30]);
    expect([...shared.keys()].filter((object) => 'upc' in object)).toEqual(targets);
  });

  test('gives up after 32 objects without an equal one, and still returns all others', () => {
    const products = Array.from({ length: 100 }, (_, n) => ({ product: { upc: `u${n % 50}` } }));
    const targets = intern({ orders: [{ lines: products }] }, new Map());
    expect(targets.length).toBeGreaterThan(50);
    expect(new Set(targets.map(({ upc }) => upc)).size).toBe(50);
  });

  test('does not exist for a path without lists, or with type conditions', () => {
    expect(createInterningCollector(parseFlattenPath(['order', 'product']), fields)).toBeUndefined();
    expect(createInterningCollector(parseFlattenPath(['orders', '@', 'a|[A]']), fields)).toBeUndefined();
  });
});
