import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  type GraphQLNamedType,
  type GraphQLObjectType,
  type GraphQLOutputType,
  isEnumType,
  isInterfaceType,
  isListType,
  isNonNullType,
  isObjectType,
  isUnionType,
} from 'graphql';
import type { ResponseObject } from '../../../gateway/execution/responseTree.ts';
import { parseExactJson } from '../../../gateway/json/exactJson.ts';
import type { PreparedOperation } from '../../../gateway/operation/preparedOperation.ts';
import type { SelectionSet } from '../../../gateway/operation/selection.ts';
import { DataWriter } from '../../../gateway/response/dataWriter.ts';
import { PayloadWriter } from '../../../gateway/response/payloadWriter.ts';
import { ResponseChunks } from '../../../gateway/response/responseChunks.ts';
import { SentNulls } from '../../../gateway/response/sentNulls.ts';
import { type ShapedData, shapeData } from '../../../gateway/response/shapeData.ts';
import type { Supergraph } from '../../../gateway/supergraph/supergraph.ts';
import { runToCompletion } from '../../../gateway/time/slicedTask.ts';
import { codePoint } from '../../harness/codePoint.ts';
import { normalizeText, schemaOf } from '../../harness/normalize.ts';

const schema = schemaOf(`
  scalar Anything
  enum Colour { RED GREEN }
  interface Named { name: String }
  type Query { item: Item items: [Item!]! grid: [[Item!]]! named: Named either: [Either] root: Int! }
  type Item implements Named {
    id: ID! name: String count: Int! ratio: Float flag: Boolean colour: Colour any: Anything
    tags: [String!] matrix: [[Int]!] inner: Item either: Either! colours: [Colour!]!
  }
  type Box implements Named { name: String width: Int! item: Item }
  union Either = Item | Box
`);

const operations = [
  '{ item { id name count ratio flag colour any tags matrix } root }',
  '{ items { __typename constructor: name __proto__: count colours inner { id inner { name } } } }',
  '{ grid { id tags } named { __typename name ... on Item { count } ... on Box { width item { id } } } }',
  '{ either { ... on Item { id either { ... on Box { width } } } ... on Named { name } __typename } }',
  '{ named { name } either { ... on Box { item { either { ... on Item { any } } } } } }',
].map((text) => normalizeText(schema, text).root);

const queryType = schema.getQueryType() as GraphQLObjectType;

interface Values {
  readonly string: fc.Arbitrary<string>;
  /** How often out of ten a value is not what the schema says. */
  readonly wrong: number;
}

const anything: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom(null, undefined, true, 1, 1.5, 2 ** 40, 'text', '7', [], {}, [null], -0),
  fc
    .constantFrom('9007199254740993', '0.1000000000000000055', '{"a":[1e400,null]}')
    .map((text) => parseExactJson(text)),
);

/** A value that a subgraph might answer for a selection on a type. */
function valueFor(
  type: GraphQLOutputType,
  set: SelectionSet | undefined,
  values: Values,
  depth = 0,
): fc.Arbitrary<unknown> {
  const nullable = isNonNullType(type) ? type.ofType : type;
  const right: fc.Arbitrary<unknown> = isListType(nullable)
    ? fc.array(valueFor(nullable.ofType, set, values, depth + 1), { maxLength: 3 })
    : namedValue(nullable as GraphQLNamedType, set, values, depth);
  const expected = isNonNullType(type) ? right : fc.option(right, { freq: 4 });
  return values.wrong === 0
    ? expected
    : fc.oneof(
        { weight: 40 - values.wrong, arbitrary: expected },
        { weight: values.wrong, arbitrary: anything },
      );
}

function namedValue(
  type: GraphQLNamedType,
  set: SelectionSet | undefined,
  values: Values,
  depth: number,
): fc.Arbitrary<unknown> {
  if (isObjectType(type)) return objectOf(type, set, values, depth);
  if (isUnionType(type) || isInterfaceType(type)) {
    return fc.oneof(
      ...schema.getPossibleTypes(type).map((possible) => objectOf(possible, set, values, depth)),
    );
  }
  if (isEnumType(type)) return fc.constantFrom('RED', 'GREEN');
  switch (type.name) {
    case 'Int':
      return fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
    case 'Float':
      return fc.double({ noNaN: true, noDefaultInfinity: true });
    case 'Boolean':
      return fc.boolean();
    case 'ID':
      return fc.oneof(values.string, fc.integer());
    case 'Anything':
      return fc.oneof(
        values.string,
        fc.integer(),
        fc.record({ a: values.string, b: fc.array(fc.integer()) }),
      );
    default:
      return values.string;
  }
}

function objectOf(
  type: GraphQLObjectType,
  set: SelectionSet | undefined,
  values: Values,
  depth: number,
): fc.Arbitrary<ResponseObject> {
  const fields = set?.collect(schema, type).fields ?? [];
  const model: Record<string, fc.Arbitrary<unknown>> = { __typename: fc.constant(type.name) };
  for (const field of fields) {
    if (field.fieldName !== '__typename')
      model[field.internalName] = valueFor(field.type, field.selectionSet, values, depth + 1);
  }
  return fc.record(model) as fc.Arbitrary<ResponseObject>;
}

const plain = fc
  .string({ unit: 'grapheme', maxLength: 40 })
  .filter((text) => JSON.stringify(text) === `"${text}"`);
const strange = fc.oneof(
  fc.string({ unit: codePoint }),
  fc.constantFrom(
    'x'.repeat(70_000),
    'ü'.repeat(5_000),
    '"',
    '\\',
    '\n',
    '\u2028',
    '\ud800',
    '</script>',
    'ü€😀',
    '\u0000',
    '',
  ),
);

/** What is written in one go, and in parts if it has to be. */
function textOf(writer: DataWriter, tree: ResponseObject, isEscapeFree: boolean): string | undefined {
  const parts = new ResponseChunks(Number.POSITIVE_INFINITY);
  const inParts = runToCompletion(writer.writeChunks(tree, isEscapeFree, parts))
    ? Buffer.concat(parts.buffers).toString()
    : undefined;
  const inOne = writer.write(tree, isEscapeFree, '', '');
  if (inOne !== 'too large') expect(inOne?.toString()).toBe(inParts);
  return inParts;
}

function property(
  values: Values,
  isEscapeFree: boolean,
  check: (text: string | undefined, shaped: ShapedData) => void,
) {
  return fc.property(
    fc
      .constantFrom(...operations)
      .chain((root) => objectOf(queryType, root, values, 0).map((tree) => ({ root, tree }))),
    ({ root, tree }) => {
      const text = textOf(new DataWriter(schema, root, queryType), tree, isEscapeFree);
      check(text, runToCompletion(shapeData(schema, root, queryType, tree, [])));
    },
  );
}

describe('a generated writer writes the same text as shapeData', () => {
  test('for strings that need escape sequences', () => {
    fc.assert(
      property({ string: strange, wrong: 0 }, false, (text, { data, errors }) => {
        expect(errors).toEqual([]);
        expect(text).toBe(JSON.stringify(data));
      }),
      { numRuns: 300 },
    );
  });

  test('for strings that are known to need no escape sequences', () => {
    fc.assert(
      property({ string: plain, wrong: 0 }, true, (text, { data }) => {
        expect(text).toBe(JSON.stringify(data));
      }),
      { numRuns: 300 },
    );
  });

  test('or bails out at invalid values', () => {
    let written = 0;
    fc.assert(
      property({ string: strange, wrong: 2 }, false, (text, { data, errors }) => {
        if (text === undefined) return;
        written += 1;
        expect({ text, errors }).toEqual({ text: JSON.stringify(data), errors: [] });
      }),
      { numRuns: 600 },
    );
    expect(written).toBeGreaterThan(0);
  });
});

test('an object that occurs several times is written from the bytes of its first occurrence', () => {
  const text = '{ items { id name inner { id name } } item { name } root }';
  const writer = new DataWriter(schema, normalizeText(schema, text).root, queryType);
  const inner = { id: 'i', name: 'ü "quoted"' };
  const shared = { id: 's', name: 'x'.repeat(50_000), inner };
  const sharedObjects = new Map([shared, inner].map((object) => [object as ResponseObject, null]));
  const written = (items: readonly object[]): string => {
    const tree = { items, item: inner, root: 1 };
    const expected = writer.write(tree, false, '{', '}')?.toString() ?? '';
    expect(expected).not.toBe('');
    // As one value, because a difference of so long texts takes a minute to print.
    return expected === writer.write(tree, false, '{', '}', sharedObjects)?.toString()
      ? 'equal'
      : 'different';
  };
  // Long enough for the buffer to grow in between.
  expect(written([shared, { ...shared, id: 't' }, inner, ...Array(15).fill(shared)])).toBe('equal');
  // The bytes of the response before are not used again.
  expect(written([inner, { ...inner, inner: shared }, shared])).toBe('equal');
});

describe('a payload writer writes what shapeData shapes', () => {
  const noGroups = new Set<number>();
  const maxBytes = Number.POSITIVE_INFINITY;

  /** An operation with a response tree that also has what it defers. */
  function preparedWithTree(text: string, values: Values, enrichments: readonly string[] = []) {
    const normalized = normalizeText(schema, text, {
      enrichmentOf: (type, field) =>
        enrichments.includes(`${type}.${field}`)
          ? { coordinate: `${type}.${field}`, budgetMs: 1, priority: 'NORMAL' }
          : undefined,
    });
    const supergraph = { apiSchema: schema } as unknown as Supergraph;
    const deferred = normalized.deferred.filter(({ rule }) => rule === undefined);
    const operation = {
      ...normalized,
      deferred,
      supergraph,
      rootType: queryType,
    } as unknown as PreparedOperation;
    const whole = normalizeText(schema, text, { defer: false }).root;
    return objectOf(queryType, whole, values, 0).map((tree) => ({ operation, tree }));
  }

  function executed(tree: ResponseObject) {
    return { tree, isEscapeFree: false, errors: [], staleValues: [] };
  }

  test('of an operation that defers fragments', () => {
    const counts = { first: 0, fragments: 0, shaped: 0 };
    const texts = [
      '{ items { id ... @defer(label: "a") { name inner { id } } } ... @defer { root } }',
      '{ either { ... on Item { id ... @defer { count either { ... on Box { width ... @defer { name } } } } } } }',
      '{ grid { tags ... @defer { inner { id name } } } named { name ... on Item @defer { colour any } } }',
    ];
    fc.assert(
      fc.property(
        fc
          .constantFrom(...texts)
          .chain((text) => preparedWithTree(text, { string: strange, wrong: 1 }))
          .map(({ operation, tree }) => ({ operation, tree })),
        ({ operation, tree }) => {
          const writer = PayloadWriter.forOperation(operation);
          const written = writer.writeFirst(executed(tree), noGroups, maxBytes);
          const sentNulls = new SentNulls();
          const shaped = runToCompletion(
            shapeData(schema, operation.root, queryType, tree, [], { sentNulls }),
          );
          if (written === undefined) {
            counts.shaped += 1;
            return;
          }
          counts.first += 1;
          const { data, deferred, pending, errors } = shaped;
          expect({ ...written, errors, hasNulls: !sentNulls.isEmpty }).toEqual({
            data: JSON.stringify(data),
            deferred,
            pending,
            errors: [],
            hasNulls: false,
          });
          for (const { fragment, ...position } of deferred) {
            const fragments = writer.writeFragment(executed(tree), fragment.full, [position], maxBytes);
            if (fragments === undefined) continue;
            counts.fragments += 1;
            const { object, type, path } = position;
            const expected = runToCompletion(
              shapeData(schema, fragment.full, type, object, path, { sentNulls }),
            );
            expect([fragments, expected.errors]).toEqual([
              [{ data: JSON.stringify(expected.data), deferred: expected.deferred, pending: [] }],
              [],
            ]);
          }
        },
      ),
      { numRuns: 400 },
    );
    expect(Object.values(counts).every((count) => count > 20)).toBe(true);
  });

  test('of an operation with pending enrichments', () => {
    const counts = { written: 0, pending: 0, shaped: 0 };
    const text =
      '{ items { id name inner { tags count } } item { either { ... on Item { name } } colour } root }';
    fc.assert(
      fc.property(
        preparedWithTree(text, { string: strange, wrong: 1 }, [
          'Item.inner',
          'Item.tags',
          'Item.either',
          'Item.colour',
        ]),
        fc.uniqueArray(fc.integer({ min: 1, max: 4 })),
        ({ operation, tree }, groups) => {
          const pendingGroups = new Set(groups);
          const written = PayloadWriter.forOperation(operation).writeFirst(
            executed(tree),
            pendingGroups,
            maxBytes,
          );
          if (written === undefined) {
            counts.shaped += 1;
            return;
          }
          counts.written += 1;
          counts.pending += written.pending.length;
          const { data, deferred, pending, errors } = runToCompletion(
            shapeData(schema, operation.root, queryType, tree, [], {
              isPending: (group) => pendingGroups.has(group),
            }),
          );
          expect({ ...written, errors }).toEqual({
            data: JSON.stringify(data),
            deferred,
            pending,
            errors: [],
          });
        },
      ),
      { numRuns: 400 },
    );
    expect(Object.values(counts).every((count) => count > 20)).toBe(true);
  });
});

test('a written response does not change while later ones of any size are written', () => {
  const writer = new DataWriter(schema, normalizeText(schema, '{ item { name } root }').root, queryType);
  const names = ['a', 'é'.repeat(100_000), 'b', 'x'.repeat(200_000), '\u0001'.repeat(50_000), 'c'];
  const trees = names.map((name, root) => ({ item: { name }, root }));
  for (const isEscapeFree of [false, true]) {
    const usable = trees.filter(({ item }) => !isEscapeFree || !item.name.startsWith('\u0001'));
    const written = usable.map((tree) => writer.write(tree, isEscapeFree, '{"data":', '}'));
    expect(written.map((bytes) => bytes?.toString() ?? '')).toEqual(
      usable.map((data) => JSON.stringify({ data })),
    );
  }
});

describe('a large response is written in chunks', () => {
  const many = Array.from({ length: 60_000 }, (_, i) => ({ id: String(i), name: `ü number ${i} "quoted"` }));
  test.each([
    ['a long list', '{ items { id name } }', { items: many }],
    ['a list of lists', '{ grid { id name } }', { grid: [many, [], many] }],
    [
      'a long string',
      '{ item { id name } root }',
      { item: { id: '1', name: '\ud83d\ude00\u0001"é'.repeat(700_000) }, root: 1 },
    ],
    ['a lone surrogate', '{ item { name } }', { item: { name: `x\ud800${'\udc00'.repeat(2_000_000)}` } }],
  ])('%s', (_, text, tree) => {
    const writer = new DataWriter(schema, normalizeText(schema, text).root, queryType);
    expect(writer.write(tree, false, '', '')).toBe('too large');
    expect(textOf(writer, tree, false) === JSON.stringify(tree)).toBe(true);
  });

  test('and yields between chunks', () => {
    const writer = new DataWriter(schema, normalizeText(schema, '{ items { id name } }').root, queryType);
    const other = new DataWriter(schema, normalizeText(schema, '{ root }').root, queryType);
    const parts = new ResponseChunks(Number.POSITIVE_INFINITY);
    const work = writer.writeChunks({ items: many }, false, parts);
    let turns = 0;
    for (; work.next().done !== true; turns++) {
      expect(other.write({ root: turns }, true, '', '')?.toString()).toBe(`{"root":${turns}}`);
    }
    expect(turns).toBeGreaterThan(10);
    expect(Buffer.concat(parts.buffers).toString() === JSON.stringify({ items: many })).toBe(true);
  });

  test('up to the maximum size', () => {
    const writer = new DataWriter(schema, normalizeText(schema, '{ items { id name } }').root, queryType);
    const size = Buffer.byteLength(JSON.stringify({ items: many }));
    expect(runToCompletion(writer.writeChunks({ items: many }, false, new ResponseChunks(size)))).toBe(true);
    expect(() =>
      runToCompletion(writer.writeChunks({ items: many }, false, new ResponseChunks(size - 1))),
    ).toThrow('limits.responseSize');
  });
});

test.each([
  ['a hidden type', '{ named { name } }', { named: { __typename: 'Secret', name: 'x' } }],
  ['an unknown enum value', '{ item { colour } }', { item: { colour: 'BLUE' } }],
  ['a null where none may be', '{ root }', { root: null }],
  ['a fraction for an Int', '{ root }', { root: 1.5 }],
  ['an object for a list', '{ items { id } }', { items: {} }],
  ['a list for an object', '{ item { id } }', { item: [] }],
  ['a long number for an object', '{ item { __typename } }', parseExactJson('{"item":9007199254740993}')],
  ['a number beyond a double', '{ item { any } }', { item: { any: [{ a: Number.POSITIVE_INFINITY }] } }],
  [
    'such a number in a value that is written in chunks',
    '{ item { any } }',
    { item: { any: ['x'.repeat(3_000_000), Number.NEGATIVE_INFINITY] } },
  ],
])('a generated writer bails out at %s', (_, text, value) => {
  const writer = new DataWriter(schema, normalizeText(schema, text).root, queryType);
  const tree = value as ResponseObject;
  expect(textOf(writer, tree, false)).toBeUndefined();
  expect(textOf(writer, tree, true)).toBeUndefined();
});
