import { describe, expect, test } from '@jest/globals';
import { type ArgumentNode, Kind, parse, parseValue } from 'graphql';
import { EntityInputs } from '../../../gateway/planning/entityInputs.ts';
import type { FetchNode, PlanNode } from '../../../gateway/planning/queryPlan.ts';
import {
  PlaceholderFields,
  type RequiredField,
  type RequiredUse,
} from '../../../gateway/planning/requiredArguments.ts';
import { compositesOf } from '../../../gateway/planning/supergraphDocument.ts';
import { toSubgraphPlan } from '../../../gateway/planning/toSubgraphPlan.ts';
import { entityFetch, rootFetch } from '../../harness/fetchNodes.ts';
import { parallel } from '../../harness/runPlan.ts';

const requiredField = (placeholder: string, currency: string): RequiredField => {
  const argument: ArgumentNode = {
    kind: Kind.ARGUMENT,
    name: { kind: Kind.NAME, value: 'in' },
    value: parseValue(currency),
  };
  return { placeholder, name: 'price', arguments: [argument] };
};
const euro = requiredField('_required0_price', 'EUR');
const dollar = requiredField('_required1_price', 'USD');

/** Without an argument, `price` is in euro. */
const canonicalArgumentsOf = (_: string, given: readonly ArgumentNode[]): string =>
  given.map(({ value }) => (value.kind === Kind.ENUM ? value.value : '')).join() || 'EUR';

const inputs = new EntityInputs(
  parse(`
    enum join__Graph { STOCK @join__graph(name: "stock") }
    ${['Product', 'Book', 'Film'].map(
      (name) => `type ${name} @join__type(graph: STOCK, key: "id") {
      a: Int @join__field(graph: STOCK, requires: "${euro.placeholder}")
      b: Int @join__field(graph: STOCK, requires: "${dollar.placeholder} size")
    }`,
    )}
  `),
);

function convert(node: PlanNode, uses: ReadonlyMap<string, readonly RequiredUse[]> = new Map()): PlanNode {
  const fields = new Map([euro, dollar].map((field) => [field.placeholder, field]));
  const required = { fields, uses, canonicalArgumentsOf };
  return toSubgraphPlan({ kind: 'QueryPlan', node }, required, inputs).node as PlanNode;
}

const fetches = (node: PlanNode): readonly FetchNode[] =>
  node.kind === 'Fetch' ? [node] : node.kind === 'Parallel' ? node.nodes.flatMap(fetches) : [];
const operationsOf = (node: PlanNode): string[] =>
  fetches(node).map(({ operation }) => operation.replace(/\s+/g, ' '));

describe('an input with arguments', () => {
  test('has its own name where the client selects the same value', () => {
    expect(operationsOf(convert(rootFetch('product{price _required0_price}')))).toEqual([
      '{ product { price } }',
    ]);
  });

  test.each([
    [
      'the client selects another value',
      [rootFetch('product{price(in:USD) _required0_price}')],
      'price(in: USD)',
    ],
    [
      'the client selects the same value with other texts',
      [rootFetch('product{price _required0_price}'), rootFetch('other{price(in:EUR)}')],
      'price',
    ],
    [
      'a fetch renames fields',
      [
        rootFetch('product{price _required0_price}', {
          outputRewrites: [{ kind: 'KeyRenamer', path: ['x'], renameKeyTo: 'price' }],
        }),
      ],
      'price',
    ],
  ])('has an alias where %s', (_, nodes, selected) => {
    const [first] = operationsOf(convert(parallel(...nodes)));
    expect(first).toBe(`{ product { ${selected} _required0_price: price(in: EUR) } }`);
  });

  test('is in input rewrites under the name that representations have', () => {
    const [fetch] = fetches(
      convert(
        entityFetch('a', {
          inputRewrites: [
            { kind: 'ValueSetter', path: ['... on Product', '_required0_price'], setValueTo: 1 },
          ],
        }),
      ),
    );
    expect(fetch?.inputRewrites).toMatchObject([{ path: ['... on Product', 'price'] }]);
  });

  test.each([
    ['one path', 'one', 'Product', 'Product', 2],
    ['different paths', 'other', 'Product', 'Product', 1],
    ['types that no object has both of', 'one', 'Book', 'Film', 1],
  ])('divides a fetch that needs two values of it at %s', (_, path, firstType, secondType, count) => {
    const uses = new Map([
      ['stock Product.a', [{ field: euro, path: 'one', typeName: firstType }]],
      ['stock Product.b', [{ field: dollar, path, typeName: secondType }]],
    ]);
    expect(fetches(convert(entityFetch('a b'), uses))).toHaveLength(count);
  });

  test('has in each part of a divided fetch one value, and no other inputs than those of the part', () => {
    const requires = ['Book', 'Film'].map((typeCondition) => ({
      kind: 'InlineFragment' as const,
      typeCondition,
      selections: ['id', euro.placeholder, dollar.placeholder, 'size'].map((name) => ({
        kind: 'Field' as const,
        name,
      })),
    }));
    const uses = new Map(
      ['Book', 'Film'].flatMap((typeName) => [
        [`stock ${typeName}.a`, [{ field: euro, path: '', typeName }]],
        [`stock ${typeName}.b`, [{ field: dollar, path: '', typeName }]],
      ]),
    );
    const operation =
      'query($representations:[_Any!]!){_entities(representations:$representations){...on Book{a b}...on Film{b}}}';
    const parts = fetches(convert(entityFetch('', { operation, requires }), uses));
    const inputs = parts.map((part) =>
      part.requires?.map((fragment) =>
        fragment.kind === 'InlineFragment'
          ? [
              fragment.typeCondition,
              ...fragment.selections.map((field) => field.kind === 'Field' && (field.alias ?? field.name)),
            ]
          : [],
      ),
    );
    expect(
      operationsOf({ kind: 'Parallel', nodes: parts }).map((text) => /\.\.\..*/.exec(text)?.[0]),
    ).toEqual(['... on Book { a } ... on Film { b } } }', '... on Book { b } } }']);
    expect(inputs).toEqual([
      [
        ['Book', 'id', '_required0_price'],
        ['Film', 'id', '_required1_price', 'size'],
      ],
      [['Book', 'id', '_required1_price', 'size']],
    ]);
  });

  test('is in the parts of a fetch, all of which each fetch has that it is divided into', () => {
    const uses = new Map([
      ['stock Product.a', [{ field: euro, path: '', typeName: 'Product' }]],
      ['stock Product.b', [{ field: dollar, path: '', typeName: 'Product' }]],
    ]);
    const parts = [entityFetch('a b'), entityFetch('c{_required0_price}')];
    const divided = fetches(convert(entityFetch('a b c{_required0_price}', { parts }), uses));
    expect(divided).toHaveLength(2);
    for (const fetch of divided) {
      expect(
        operationsOf(parallel(...(fetch.parts ?? []))).map(
          (text) => /on Product \{ (.*?) \}/.exec(text)?.[1],
        ),
      ).toEqual(['a', 'b', 'c { price(in: EUR)']);
    }
  });
});

test('an input of an interface is defined on its implementations, too, and on no other type', () => {
  const types = compositesOf(
    parse(`
      type Review { media: Media }
      interface Media { title(lang: String): String }
      type Book implements Media { title(lang: String): String }
      type Film { title(lang: String): String }
    `),
  );
  const placeholders = new PlaceholderFields(types, '_required');
  const fieldSet = placeholders.replace('media { title(lang: "en") }', 'Review', 'reviews Review.text');
  expect(fieldSet.replace(/\s+/g, ' ')).toBe('media { _required0_title }');
  const has = (type: string): boolean =>
    (types.get(type)?.fields ?? []).some(({ name }) => name.value === '_required0_title');
  expect(['Media', 'Book', 'Film', 'Review'].filter(has)).toEqual(['Media', 'Book']);
});
