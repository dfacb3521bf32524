import { describe, expect, jest, test } from '@jest/globals';
import { parse } from 'graphql';
import { RepresentationReader } from '../../../gateway/execution/representationReader.ts';
import type { ResponseObject } from '../../../gateway/execution/responseTree.ts';
import { TypeConditions } from '../../../gateway/execution/typeConditions.ts';
import type { RequiresSelection } from '../../../gateway/planning/queryPlan.ts';
import { readSupergraphNames } from '../../../gateway/planning/supergraphNames.ts';

const conditions = new TypeConditions(
  readSupergraphNames(
    parse('interface Media { id: ID! } type Book implements Media { id: ID! } type Film { id: ID! }'),
  ),
);
const field = (name: string, more: object = {}): RequiresSelection => ({ kind: 'Field', name, ...more });
const on = (typeCondition: string, ...selections: RequiresSelection[]): RequiresSelection => ({
  kind: 'InlineFragment',
  typeCondition,
  selections,
});
const readerOf = (...selections: RequiresSelection[]): RepresentationReader =>
  new RepresentationReader([on('Book', field('__typename'), ...selections)], [], conditions);

/** The representation of an object; `undefined` for an object that is not fetched for. */
function read(reader: RepresentationReader, object: ResponseObject): unknown {
  const text = reader.representationOf(object)?.serialize(object);
  return text === undefined ? undefined : JSON.parse(text);
}

const book = (fields: ResponseObject): ResponseObject => ({ __typename: 'Book', ...fields });

describe('a representation', () => {
  test('has all fields of its inputs, and there is none for an object that lacks one of them', () => {
    const reader = readerOf(field('id'), field('parts', { selections: [field('size')] }));
    const complete = book({ id: '1', parts: [{ size: 1, other: 2 }, null] });
    expect(read(reader, complete)).toEqual(book({ id: '1', parts: [{ size: 1 }, null] }));
    expect(read(reader, book({ id: '1', parts: [{ size: 1 }, {}] }))).toBeUndefined();
    expect(read(reader, book({ parts: [] }))).toBeUndefined();
    expect(read(reader, { ...complete, __typename: 'Film' })).toBeUndefined();
  });

  test('does not exist for an object with an infinite number, which JSON would send as null', () => {
    const flat = readerOf(field('id'), field('size'));
    const nested = readerOf(field('id'), field('parts', { selections: [field('size')] }));
    const code = readerOf(field('code'));
    const huge = JSON.parse('1e999');
    expect(read(flat, book({ id: '1', size: 1.5 }))).toEqual(book({ id: '1', size: 1.5 }));
    expect(read(flat, book({ id: '1', size: huge }))).toBeUndefined();
    expect(read(flat, book({ id: -huge, size: 1 }))).toBeUndefined();
    expect(read(nested, book({ id: '1', parts: [{ size: huge }] }))).toBeUndefined();
    expect(read(code, book({ code: { number: huge } }))).toBeUndefined();
    expect(read(code, book({ code: [null, true] }))).toEqual(book({ code: [null, true] }));
  });

  test('has all fields of an input that several fragments select', () => {
    const size = (name: string): RequiresSelection => field('size', { selections: [field(name)] });
    const reader = readerOf(size('w'), on('Media', size('h')));
    expect(read(reader, book({ size: { w: 1, h: 2, d: 3 } }))).toEqual(book({ size: { w: 1, h: 2 } }));
  });

  test('has the fields of a nested fragment only for objects of its type', () => {
    const reader = readerOf(field('id'), on('Media', on('Film', field('minutes'))));
    expect(read(reader, book({ id: '1' }))).toEqual(book({ id: '1' }));
  });

  test('of scalar fields is the same on a host that forbids code generation', () => {
    const objects = [
      book({ id: '1', size: 1.5, code: { a: [1] } }),
      book({ id: '2', size: null, code: true }),
      book({ id: '3', size: JSON.parse('1e999'), code: '' }),
      book({ id: '4' }),
    ];
    const readAll = () => {
      const reader = readerOf(field('id'), field('size'), field('code'));
      return objects.map((object) => reader.representationOf(object)?.serialize(object));
    };
    const generated = readAll();
    using forbidden = jest.spyOn(globalThis, 'Function').mockImplementation(() => {
      throw new EvalError('Code generation from strings disallowed for this context');
    });
    expect(readAll()).toEqual(generated);
    expect(forbidden).toHaveBeenCalled();
  });

  test('is equal for objects with equal contents of each field', () => {
    const representation = readerOf(field('id'), field('size')).representationOf(book({}));
    const [small, equal, large] = [1, 1, 2].map((w) => book({ id: '1', size: { w } })) as [
      ResponseObject,
      ResponseObject,
      ResponseObject,
    ];
    expect(representation?.lookupKey(small)).toBe(representation?.lookupKey(large));
    expect(representation?.isSame(small, equal)).toBe(true);
    expect(representation?.isSame(small, large)).toBe(false);

    const byObject = readerOf(field('size')).representationOf(book({}));
    expect(byObject?.lookupKey(small)).toBe(byObject?.lookupKey(equal));
    expect(byObject?.lookupKey(small)).not.toBe(byObject?.lookupKey(large));
  });
});
