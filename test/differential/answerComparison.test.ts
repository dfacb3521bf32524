import { describe, expect, test } from '@jest/globals';
import { parse } from 'graphql';
import type { Answer, Json } from './answer.ts';
import { findPayloadProblem } from './checkPayloads.ts';
import { findDifference } from './compareAnswers.ts';
import { findDeferredDifference } from './compareDeferred.ts';
import { insertDefers, listPositions } from './insertDefers.ts';

// The differential tests are worth what these see.

describe('two whole answers differ', () => {
  const answer: Answer = {
    data: { a: 1, b: [{ c: null }] },
    errors: [{ message: 'No', path: ['b', 0, 'c'] }],
  };

  test.each<[string, Answer]>([
    ['by the order of keys', { ...answer, data: { b: [{ c: null }], a: 1 } }],
    ['by a null in a list', { ...answer, data: { a: 1, b: [null] } }],
    ['by a missing key', { ...answer, data: { a: 1, b: [{}] } }],
    ['by no data at all', { ...answer, data: undefined }],
    ['by the path of an error', { ...answer, errors: [{ message: 'No', path: ['b', 0] }] }],
    ['by an error that stands twice', { ...answer, errors: [...answer.errors, ...answer.errors] }],
    ['by the message of an error', { ...answer, errors: [{ message: 'Yes', path: ['b', 0, 'c'] }] }],
    ['by an error that is missing', { ...answer, errors: [] }],
  ])('%s', async (_, other) => {
    const compare = (got: Answer) =>
      findDifference({ expected: answer, got, withoutNullPropagation: async () => answer });
    expect(await compare(answer)).toBeUndefined();
    expect(await compare(other)).toBeDefined();
  });
});

describe('where a null went up to a parent', () => {
  const compare = (...errors: Answer['errors']) =>
    findDifference({
      expected: {
        data: { a: null },
        errors: [{ message: 'x', path: ['a', 0, 'x'] }],
        toleratedMessages: new Set(['h']),
      },
      got: { data: { a: null }, errors },
      withoutNullPropagation: async () => ({ data: { a: [{ x: null, y: null, z: 1 }] }, errors: [] }),
    });

  test('any field that is null may tell, and several may', async () => {
    expect(await compare({ message: 'y', path: ['a', 0, 'y'] })).toBeUndefined();
    expect(
      await compare({ message: 'x', path: ['a', 0, 'x'] }, { message: 'y', path: ['a', 0, 'y'] }),
    ).toBeUndefined();
  });

  test('what failed without being selected may be told besides', async () => {
    expect(
      await compare({ message: 'x', path: ['a', 0, 'x'] }, { message: 'h', path: ['a'] }),
    ).toBeUndefined();
  });

  test.each<[string, Answer['errors']]>([
    ['one has to tell', []],
    ['a field that is not null may not', [{ message: 'z', path: ['a', 0, 'z'] }]],
    ['a field elsewhere may not', [{ message: 'x', path: ['b'] }]],
    ['none may tell twice', [0, 1].map(() => ({ message: 'x', path: ['a', 0, 'x'] }))],
  ])('%s', async (_, errors) => {
    expect(await compare(...errors)).toBeDefined();
  });
});

describe('of payloads it is seen', () => {
  const document = parse('{ shop { name ... @defer(label: "x") { stock } } }');
  const problemWith = (entry: object) =>
    findPayloadProblem(
      [{ data: { shop: { name: 'A' } }, hasNext: true }, { incremental: [entry] }],
      document,
    );

  test('that nothing is wrong', () => {
    expect(problemWith({ data: { stock: 1 }, path: ['shop'], label: 'x' })).toBeUndefined();
  });

  test.each<[string, object]>([
    ['that a label is missing', { data: { stock: 1 }, path: ['shop'] }],
    ['that a label stands elsewhere in the document', { data: { stock: 1 }, path: [], label: 'x' }],
    ['that a fragment failed without a reason', { data: null, path: ['shop'], label: 'x' }],
    [
      'that an error belongs to another place',
      { data: { stock: null }, path: ['shop'], label: 'x', errors: [{ message: 'No', path: ['bank'] }] },
    ],
  ])('%s', (_, entry) => {
    expect(problemWith(entry)).toBeDefined();
  });
});

describe('where a fragment failed', () => {
  const error = { message: 'No', path: ['shop', 'owner', 'name'] };
  const compare = (merged: Json, whole: Json): Promise<string | undefined> =>
    findDeferredDifference({
      expected: { data: { shop: { owner: null } }, errors: [error] },
      withoutNullPropagation: async () => ({ data: whole, errors: [] }),
      payloads: [{ incremental: [{ data: null, path: ['shop', 'owner'], errors: [error] }] }],
      merged: { data: merged, errors: [error] },
    });
  const whole = { shop: { owner: { id: 1, name: null } } };

  test('its fields may be missing from an object that would be null as a whole', async () => {
    expect(await compare({ shop: { owner: { id: 1 } } }, whole)).toBeUndefined();
  });

  test('other fields may not differ', async () => {
    expect(await compare({ shop: { owner: { id: 2 } } }, whole)).toBeDefined();
  });

  test('fields of other objects may not be missing', async () => {
    expect(await compare({}, whole)).toBeDefined();
  });
});

test('@defer is put around a set, around one of several selections, on a fragment, around a copy', () => {
  const document = parse('{ a { b c } ...F } fragment F on Query { d }');

  expect(listPositions(document)).toEqual([
    ...['set', 'set', 'selection', 'repeat', 'selection', 'repeat', 'selection', 'repeat'],
    ...['fragment', 'set', 'repeat'],
  ]);
  const sources = [0, 2, 5, 8].map((place) => insertDefers(document, new Map([[place, { label: 'x' }]])));
  expect(sources.map((source) => source.replace(/\s+/g, ' '))).toEqual([
    '{ ... @defer(label: "x") { a { b c } ...F } } fragment F on Query { d }',
    '{ a { ... @defer(label: "x") { b } c } ...F } fragment F on Query { d }',
    '{ a { b c ... @defer(label: "x") { c } } ...F } fragment F on Query { d }',
    '{ a { b c } ...F @defer(label: "x") } fragment F on Query { d }',
  ]);
});
