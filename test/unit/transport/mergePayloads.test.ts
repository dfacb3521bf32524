import { describe, expect, test } from '@jest/globals';
import { mergePayloads } from '../../harness/rawHttp.ts';

describe('mergePayloads, which merges payloads as a strict client does', () => {
  test('merges payloads of the 2022 format into the complete response', () => {
    expect(
      mergePayloads([
        { data: { a: { list: [{ b: 1 }] } }, errors: ['first'], hasNext: true },
        {
          incremental: [
            { path: ['a', 'list', 0], data: { c: 2 } },
            { path: ['a'], data: null, errors: ['failed'] },
          ],
          hasNext: false,
        },
      ]),
    ).toEqual({ data: { a: { list: [{ b: 1, c: 2 }] } }, errors: ['first', 'failed'] });
  });

  test('merges payloads of the v0.2 format with nested fragments and sub-paths into the complete response', () => {
    expect(
      mergePayloads([
        { data: { a: {} }, pending: [{ id: '0', path: ['a'] }], hasNext: true },
        {
          pending: [{ id: '1', path: ['a', 'b'] }],
          incremental: [{ id: '0', data: { b: { c: {} } } }],
          completed: [{ id: '0' }],
          hasNext: true,
        },
        {
          incremental: [{ id: '1', subPath: ['c'], data: { d: 1 } }],
          completed: [{ id: '1' }],
          hasNext: false,
        },
      ]),
    ).toEqual({ data: { a: { b: { c: { d: 1 } } } } });
  });

  test('lets a null of the 2022 format replace an object when an error explains it', () => {
    const error = { message: 'failed', path: ['list', 0, 'b'] };
    expect(
      mergePayloads([
        { data: { list: [{ a: 1 }, { a: 2 }] }, hasNext: true },
        { incremental: [{ path: [], data: { list: [null, { b: 2 }] }, errors: [error] }], hasNext: false },
      ]),
    ).toEqual({ data: { list: [null, { a: 2, b: 2 }] }, errors: [error] });
  });

  test('treats the names of inherited object properties as ordinary field names', () => {
    const merged = mergePayloads([
      { data: { a: JSON.parse('{ "__proto__": { "b": 1 } }') }, hasNext: true },
      {
        incremental: [{ path: ['a'], data: JSON.parse('{ "constructor": 2, "__proto__": { "c": 3 } }') }],
        hasNext: false,
      },
    ]);
    expect(JSON.stringify(merged)).toBe('{"data":{"a":{"__proto__":{"b":1,"c":3},"constructor":2}}}');
    expect(({} as { c?: unknown }).c).toBeUndefined();
  });

  test.each([
    ['without hasNext', [{ data: {} }], 'No hasNext'],
    [
      'after the last one',
      [{ data: {}, hasNext: false }, { hasNext: false }],
      'A payload after hasNext: false',
    ],
    [
      'whose last one says that more follow',
      [{ data: {}, hasNext: true }],
      'The last payload promises another.',
    ],
    [
      'for a path that was not sent',
      [
        { data: {}, hasNext: true },
        { incremental: [{ path: ['a'], data: {} }], hasNext: false },
      ],
      'leads to nothing',
    ],
    [
      'for an unknown id',
      [
        { data: {}, hasNext: true },
        { incremental: [{ id: '7', data: {} }], hasNext: false },
      ],
      'An id that is not pending',
    ],
    [
      'that leave something pending',
      [{ data: {}, pending: [{ id: '0', path: [] }], hasNext: true }, { hasNext: false }],
      'Never completed: 0',
    ],
    [
      'with two values for a field',
      [
        { data: { a: 1 }, hasNext: true },
        { incremental: [{ path: [], data: { a: 2 } }], hasNext: false },
      ],
      'Two values at a',
    ],
    [
      'with a null over an object that no error explains',
      [
        { data: { a: { b: 1 } }, hasNext: true },
        {
          incremental: [{ path: [], data: { a: null }, errors: [{ message: 'failed', path: ['c'] }] }],
          hasNext: false,
        },
      ],
      'Two values at a',
    ],
    [
      'with a null over an object in the v0.2 format',
      [
        { data: { a: { b: 1 } }, pending: [{ id: '0', path: [] }], hasNext: true },
        {
          incremental: [{ id: '0', data: { a: null }, errors: [{ message: 'failed', path: ['a', 'b'] }] }],
          completed: [{ id: '0' }],
          hasNext: false,
        },
      ],
      'Two values at a',
    ],
  ])('rejects payloads %s', (_, payloads, message) => {
    expect(() => mergePayloads(payloads)).toThrow(message);
  });
});
