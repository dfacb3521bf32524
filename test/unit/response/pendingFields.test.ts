import { describe, expect, test } from '@jest/globals';
import type { GraphQLObjectType } from 'graphql';
import type { ResponseObject } from '../../../gateway/execution/responseTree.ts';
import { SentNulls } from '../../../gateway/response/sentNulls.ts';
import { type ShapedData, shapeData } from '../../../gateway/response/shapeData.ts';
import { enrichmentsAt, normalizeText, schemaOf } from '../../harness/normalize.ts';

const schema = schemaOf(`
  type Query { product: Product must: Product! products: [Product] all: [Product!] grid: [[Product]!] matrix: [[Product!]]! node: Node }
  interface Node { id: ID! }
  type Product implements Node {
    id: ID! name: String! related: [Product!] advice: Advice rating: Int! maker: Maker! stock: Int
  }
  type Maker { id: ID! rating: Int! }
  type Advice { text: String! product: Product }
`);
const enrichmentOf = enrichmentsAt(
  'Product.related',
  'Product.advice',
  'Product.rating',
  'Product.stock',
  'Maker.rating',
);

interface Shaped extends ShapedData {
  /** Pending fields by path, each with the delivery groups that it waits for. */
  readonly places: readonly (readonly [string, readonly number[]])[];
}

/** Shapes a response while enrichments are pending: all of them, or those with these numbers. */
function shape(query: string, tree: ResponseObject, pendingGroups?: readonly number[]): Shaped {
  const { root } = normalizeText(schema, query, { enrichmentOf });
  const work = shapeData(schema, root, schema.getQueryType() as GraphQLObjectType, tree, [], {
    isPending: (group) => pendingGroups === undefined || pendingGroups.includes(group),
    sentNulls: new SentNulls(),
  });
  for (;;) {
    const { done, value } = work.next();
    if (done !== true) continue;
    return { ...value, places: value.pending.map(({ path, groups }) => [path.join('.'), groups]) };
  }
}

/** As JSON has it. */
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

describe('a response with pending enrichments', () => {
  test('has null for a pending field and the values of all others', () => {
    const { data, places, errors, isBlockedByPending } = shape(
      '{ product { id also: advice { text } name } }',
      {
        product: { id: '1', name: 'Pan', also: { text: 'there already' } },
      },
    );
    expect(plain(data)).toEqual({ product: { id: '1', also: null, name: 'Pan' } });
    expect([places, errors, isBlockedByPending]).toEqual([[['product.also', [1]]], [], false]);
  });

  test('has two pending fields for two enrichments of one object, each with its own group', () => {
    const { data, places } = shape('{ product { id advice { text } stock } }', { product: { id: '1' } });
    expect(plain(data)).toEqual({ product: { id: '1', advice: null, stock: null } });
    expect(places).toEqual([
      ['product.advice', [1]],
      ['product.stock', [2]],
    ]);
  });

  test('leaves out pending enrichments only', () => {
    const tree = { product: { id: '1', advice: { text: 'x' } } };
    const { data, places } = shape('{ product { id advice { text } stock } }', tree, [2]);
    expect(plain(data)).toEqual({ product: { id: '1', advice: { text: 'x' }, stock: null } });
    expect(places).toEqual([['product.stock', [2]]]);
  });

  test('has no pending field below another, which waits for both groups', () => {
    const { places } = shape('{ product { related { advice { text } } } }', { product: {} });
    expect(places).toEqual([['product.related', [1, 2]]]);
  });

  test('has a pending field inside a complete enrichment', () => {
    const { data, places } = shape(
      '{ product { related { id advice { text } } } }',
      { product: { related: [{ id: '2' }, { id: '3' }] } },
      [2],
    );
    expect(plain(data)).toEqual({
      product: {
        related: [
          { id: '2', advice: null },
          { id: '3', advice: null },
        ],
      },
    });
    expect(places.map(([path]) => path)).toEqual(['product.related.0.advice', 'product.related.1.advice']);
  });

  test('has no pending field below null', () => {
    const { data, places } = shape('{ product { advice { text } } products { stock } }', {
      product: null,
      products: [null],
    });
    expect([plain(data), places]).toEqual([{ product: null, products: [null] }, []]);
  });
});

describe('a pending non-null field', () => {
  test('makes its object null', () => {
    const { data, places } = shape('{ product { id rating } }', { product: { id: '1' } });
    expect([plain(data), places]).toEqual([{ product: null }, [['product', [1]]]]);
  });

  test('makes the nearest nullable object null, with all pending fields inside it', () => {
    const { data, places } = shape('{ product { id stock maker { id rating } } }', {
      product: { id: '1', maker: { id: 'm' } },
    });
    expect(plain(data)).toEqual({ product: null });
    expect(places).toEqual([['product', [1, 2]]]);
  });

  test('makes one list element null, and no other', () => {
    const tree = { products: [{ __typename: 'Product', id: '1' }, null, { __typename: 'Product', id: '2' }] };
    const { data, places } = shape('{ products { id rating } }', tree);
    expect(plain(data)).toEqual({ products: [null, null, null] });
    expect(places.map(([path]) => path)).toEqual(['products.0', 'products.2']);
  });

  test('makes the list null when its elements are non-null', () => {
    const { data, places } = shape('{ all { id rating } }', { all: [{ id: '1' }, { id: '2' }] });
    expect([plain(data), places]).toEqual([{ all: null }, [['all', [1]]]]);
  });

  test('makes an element of a nested list null', () => {
    const { data, places } = shape('{ grid { id rating } }', { grid: [[{ id: '1' }], [], [{ id: '2' }]] });
    expect(plain(data)).toEqual({ grid: [[null], [], [null]] });
    expect(places.map(([path]) => path)).toEqual(['grid.0.0', 'grid.2.0']);
  });

  test('blocks the response when only a list inside a list could be null', () => {
    const { data, places, isBlockedByPending } = shape('{ product { stock } matrix { id rating } }', {
      product: { id: '1' },
      matrix: [[{ id: '2' }]],
    });
    expect([data, places, isBlockedByPending]).toEqual([null, [], true]);
  });

  test('blocks the response when nothing above it is nullable', () => {
    const { data, isBlockedByPending } = shape('{ must { id rating } }', {
      must: { id: '1', rating: 3 },
    });
    expect([plain(data), isBlockedByPending]).toEqual([{ must: { id: '1', rating: 3 } }, false]);
  });
});

describe('errors of a response with pending enrichments', () => {
  test('are reported outside of pending fields', () => {
    const { errors, places } = shape('{ product { id name } must { id stock } }', {
      product: { id: '1' },
      must: { id: '2' },
    });
    expect(errors.map(({ path }) => path.join('.'))).toEqual(['product.name']);
    expect(places.map(([path]) => path)).toEqual(['must.stock']);
  });

  test('below a pending field are reported with its value', () => {
    // The invalid stock is read before the rating is found to be late.
    const tree = { product: { id: '1', stock: 'many' } };
    const { data, errors, places } = shape('{ product { id stock rating } }', tree, [2]);
    expect([plain(data), errors, places]).toEqual([{ product: null }, [], [['product', [1, 2]]]]);
  });

  test('are kept when a later list becomes pending', () => {
    const { errors } = shape(
      '{ product { stock } all { stock rating } }',
      { product: { stock: 'many' }, all: [{ stock: 'many' }] },
      [3],
    );
    expect(errors.map(({ path }) => path.join('.'))).toEqual(['product.stock']);
  });

  test('that make an object null remove the pending fields below it', () => {
    const { data, errors, places } = shape('{ product { stock name } }', { product: { stock: 1 } });
    expect(plain(data)).toEqual({ product: null });
    expect(errors.map(({ path }) => path.join('.'))).toEqual(['product.name']);
    expect(places).toEqual([]);
  });
});
