import { describe, expect, test } from '@jest/globals';
import { parse } from 'graphql';
import type { Answer, Json } from './answer.ts';
import { findPayloadProblem } from './checkPayloads.ts';
import { findDifference } from './compareAnswers.ts';
import { findDeferredDifference } from './compareDeferred.ts';
import { insertDefers, listPositions } from './insertDefers.ts';

// The differential tests can only find what these comparisons see.

describe('findDifference reports two complete responses that differ', () => {
  const answer: Answer = {
    data: { a: 1, b: [{ c: null }] },
    errors: [{ message: 'No', path: ['b', 0, 'c'] }],
  };

  test.each<[string, Answer]>([
    ['by the order of keys', { ...answer, data: { b: [{ c: null }], a: 1 } }],
    ['by a null list element', { ...answer, data: { a: 1, b: [null] } }],
    ['by a missing key', { ...answer, data: { a: 1, b: [{}] } }],
    ['by missing data', { ...answer, data: undefined }],
    ['by the path of an error', { ...answer, errors: [{ message: 'No', path: ['b', 0] }] }],
    ['by a repeated error', { ...answer, errors: [...answer.errors, ...answer.errors] }],
    ['by the message of an error', { ...answer, errors: [{ message: 'Yes', path: ['b', 0, 'c'] }] }],
    ['by a missing error', { ...answer, errors: [] }],
  ])('%s', async (_, other) => {
    const compare = (got: Answer) =>
      findDifference({ expected: answer, got, withoutNullPropagation: async () => answer });
    expect(await compare(answer)).toBeUndefined();
    expect(await compare(other)).toBeDefined();
  });
});

describe('findDifference, where a null propagated to a parent', () => {
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

  test('accepts errors of any null fields below the parent', async () => {
    expect(await compare({ message: 'y', path: ['a', 0, 'y'] })).toBeUndefined();
    expect(
      await compare({ message: 'x', path: ['a', 0, 'x'] }, { message: 'y', path: ['a', 0, 'y'] }),
    ).toBeUndefined();
  });

  test('accepts additional errors of fields that the client did not select', async () => {
    expect(
      await compare({ message: 'x', path: ['a', 0, 'x'] }, { message: 'h', path: ['a'] }),
    ).toBeUndefined();
  });

  test.each<[string, Answer['errors']]>([
    ['without any error', []],
    ['with an error of a field that is not null', [{ message: 'z', path: ['a', 0, 'z'] }]],
    ['with an error at another path', [{ message: 'x', path: ['b'] }]],
    ['with a repeated error', [0, 1].map(() => ({ message: 'x', path: ['a', 0, 'x'] }))],
  ])('reports a response %s', async (_, errors) => {
    expect(await compare(...errors)).toBeDefined();
  });
});

describe('findPayloadProblem', () => {
  const document = parse('{ shop { name ... @defer(label: "x") { stock } } }');
  const problemWith = (entry: object) =>
    findPayloadProblem(
      [{ data: { shop: { name: 'A' } }, hasNext: true }, { incremental: [entry] }],
      document,
    );

  test('accepts a correct payload', () => {
    expect(problemWith({ data: { stock: 1 }, path: ['shop'], label: 'x' })).toBeUndefined();
  });

  test.each<[string, object]>([
    ['without its label', { data: { stock: 1 }, path: ['shop'] }],
    ['with the label of another fragment', { data: { stock: 1 }, path: [], label: 'x' }],
    ['whose fragment failed without an error', { data: null, path: ['shop'], label: 'x' }],
    [
      'with an error at a path outside its fragment',
      { data: { stock: null }, path: ['shop'], label: 'x', errors: [{ message: 'No', path: ['bank'] }] },
    ],
  ])('reports a payload %s', (_, entry) => {
    expect(problemWith(entry)).toBeDefined();
  });
});

describe('findDeferredDifference, where a fragment failed', () => {
  const error = { message: 'No', path: ['shop', 'owner', 'name'] };
  const compare = (merged: Json, whole: Json): Promise<string | undefined> =>
    findDeferredDifference({
      expected: { data: { shop: { owner: null } }, errors: [error] },
      withoutNullPropagation: async () => ({ data: whole, errors: [] }),
      payloads: [{ incremental: [{ data: null, path: ['shop', 'owner'], errors: [error] }] }],
      merged: { data: merged, errors: [error] },
    });
  const whole = { shop: { owner: { id: 1, name: null } } };

  test('accepts that its fields are missing from an object that would be null without @defer', async () => {
    expect(await compare({ shop: { owner: { id: 1 } } }, whole)).toBeUndefined();
  });

  test('reports a different value of another field', async () => {
    expect(await compare({ shop: { owner: { id: 2 } } }, whole)).toBeDefined();
  });

  test('reports missing fields of other objects', async () => {
    expect(await compare({}, whole)).toBeDefined();
  });
});

test('insertDefers puts @defer around a selection set, around one selection, on a fragment, and around a copy', () => {
  const document = parse('{ a { b c } ...F } fragment F on Query { d }');

  expect(listPositions(document)).toEqual([
    ...['set', 'set', 'selection', 'repeat', 'selection', 'repeat', 'selection', 'repeat'],
    ...['fragment', 'set', 'repeat'],
  ]);
  const sources = [0, 2, 5, 8].map((position) =>
    insertDefers(document, new Map([[position, { label: 'x' }]])),
  );
  expect(sources.map((source) => source.replace(/\s+/g, ' '))).toEqual([
    '{ ... @defer(label: "x") { a { b c } ...F } } fragment F on Query { d }',
    '{ a { ... @defer(label: "x") { b } c } ...F } fragment F on Query { d }',
    '{ a { b c ... @defer(label: "x") { c } } ...F } fragment F on Query { d }',
    '{ a { b c } ...F @defer(label: "x") } fragment F on Query { d }',
  ]);
});
