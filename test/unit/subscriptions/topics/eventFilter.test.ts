import { expect, test } from '@jest/globals';
import { buildSchema, type FieldNode, type OperationDefinitionNode, parse } from 'graphql';
import { parseExactJson } from '../../../../gateway/json/exactJson.ts';
import { createEventFilter } from '../../../../gateway/subscriptions/topics/eventFilter.ts';
import type { RootField } from '../../../../gateway/subscriptions/topics/rootField.ts';

/** The filter of a client that subscribes to `finished(race: $race)` with this value, for events with the race in `of`. */
function createFilter(inputs: string, race: unknown, literal = '$race', fallback = 'null') {
  const schema = buildSchema(`
    type Query { ping: Int }
    ${inputs}
    type Subscription { finished(race: Race): Int }
  `);
  const operation = parse(`subscription ($race: Race = ${fallback}) { finished(race: ${literal}) }`)
    .definitions[0] as OperationDefinitionNode;
  const node = operation.selectionSet.selections[0] as FieldNode;
  const field = { node, step: { shape: { document: operation } } } as unknown as RootField;
  return createEventFilter({ race: 'of' }, field, schema, race === undefined ? {} : { race });
}

test('an input object without a field that Object.prototype has filters by its own fields', () => {
  const accepts = createFilter('input Race { constructor: String id: ID }', { id: '1' });
  expect([{ of: { id: 1 } }, { of: { id: 2 } }].map(accepts)).toEqual([true, false]);
});

test('numbers with more digits than a JavaScript number are equal only if all digits are', () => {
  const [number, other] = parseExactJson('[9007199254740993, 9007199254740995]') as unknown[];
  for (const accepts of [
    createFilter('scalar Race', number),
    createFilter('scalar Race', '9007199254740993'),
    createFilter('scalar Race', null, '9007199254740993'),
  ]) {
    expect([number, '9007199254740993', other, '9007199254740992'].map((of) => accepts({ of }))).toEqual([
      true,
      true,
      false,
      false,
    ]);
  }
  // A JavaScript number that has all its digits, beside one that has not.
  expect(createFilter('scalar Race', 2 ** 53)({ of: number })).toBe(false);
});

test('an ID and a custom scalar keep all digits beside a Float, which is a double', () => {
  const inputs = 'scalar Long input Race { id: ID ids: [ID] long: Long at: Float any: [Long] }';
  const sent =
    '{ id: 9007199254740993, ids: [9007199254740993], long: 9007199254740993, at: 0.1000000000000000055, any: [{ n: 1.50 }] }';
  const jsonOf = (literal: string) => parseExactJson(literal.replace(/(\w+):/g, '"$1":'));
  const different = [
    sent.replace('id: 9007199254740993', 'id: 9007199254740992'),
    sent.replace('[9007199254740993]', '[9007199254740992]'),
    sent.replace('long: 9007199254740993', 'long: 9007199254740992'),
    sent.replace('at: 0.1', 'at: 0.2'),
    sent.replace('1.50', '1.51'),
  ];
  const equal = [sent, sent.replace('055', '056'), sent.replace('0.1000000000000000055', '0.1')];
  const events = [...equal, ...different].map((literal) => ({ of: jsonOf(literal) }));
  const accepted = [true, true, true, false, false, false, false, false];
  expect(events.map(createFilter(inputs, jsonOf(sent)))).toEqual(accepted);
  expect(events.map(createFilter(inputs, undefined, sent))).toEqual(accepted);
  expect(events.map(createFilter(inputs, undefined, '$race', sent))).toEqual(accepted);
});

test.each([
  ['a number', 1, [1, '1'], [2, '01', true, [1], {}, null, undefined]],
  ['a text', '1', ['1', 1], ['2', ['1'], [1], true, null]],
  ['a boolean', true, [true], [1, 'true', [true], {}, null]],
  [
    'a list',
    [1, 'a'],
    [
      [1, 'a'],
      ['1', 'a'],
    ],
    [['a', 1], [1], [1, 'a', null], { 0: 1, 1: 'a' }, '1,a'],
  ],
  ['a list of one number', [1], [[1], ['1']], [1, '1', [2]]],
  ['an empty list', [], [[]], [{}, '', null]],
  [
    'an object',
    { a: 1, b: null },
    [
      { b: null, a: 1 },
      { a: '1', b: null },
    ],
    [
      { a: 1 },
      { a: 1, b: null, c: 1 },
      { a: 1, c: null },
      { a: 2, b: null },
      { a: 1, b: {} },
      [1, null],
      null,
    ],
  ],
  ['an empty object', {}, [{}], ['', [], null]],
  ['an object with the name of a prototype', JSON.parse('{"__proto__":{}}'), [], [{ a: 1 }]],
])(
  'an argument that is %s equals the same value only, and a number its text',
  (_, race, equal, different) => {
    const accepts = createFilter('scalar Race', race);
    for (const of of equal) expect({ of, isAccepted: accepts({ of }) }).toEqual({ of, isAccepted: true });
    for (const of of different)
      expect({ of, isAccepted: accepts({ of }) }).toEqual({ of, isAccepted: false });
  },
);

test('an Int and a Float equal their text, and a text with other digits is different', () => {
  const accepts = createFilter('input Race { lap: Int at: Float }', { lap: 1, at: 0.5 });
  const races = [
    { lap: '1', at: '0.5' },
    { lap: 1, at: '0.50' },
    { lap: '01', at: 0.5 },
  ];
  expect(races.map((of) => accepts({ of }))).toEqual([true, false, false]);
});
