import { expect, test } from '@jest/globals';
import { type OperationDefinitionNode, parse } from 'graphql';
import type { ResponseObject } from '../../../../gateway/execution/responseTree.ts';
import { copyKey, hasKey, requiresOf } from '../../../../gateway/subscriptions/topics/entityKey.ts';

const keyOf = (fields: string) =>
  (parse(`{ ${fields} }`).definitions[0] as OperationDefinitionNode).selectionSet;

test.each([
  ['id', { id: '1' }, true],
  ['id', { id: null }, false],
  ['id number', { id: '1' }, false],
  ['__typename id', { id: '1' }, true],
  ['toString', {}, false],
  ['maker { code }', { maker: { code: 1 } }, true],
  ['maker { code }', { maker: {} }, false],
  ['maker { code }', { maker: 'm1' }, false],
  ['parts { id }', { parts: [{ id: 1 }, { id: 2 }] }, true],
  ['parts { id }', { parts: [{ id: 1 }, {}] }, false],
  ['parts { id }', { parts: [] }, true],
  ['maker { ... on Company { code } }', { maker: { code: 1 } }, true],
  ['maker { ... on Company { code } }', { maker: { name: 'a' } }, false],
])('whether an object has the key "%s": %j, %p', (fields, value, expected) => {
  expect(hasKey(keyOf(fields), value)).toBe(expected);
});

test('the fields of a key are added to those that an object has already', () => {
  const maker = { country: 'NL' };
  const part = { label: 'a' };
  const target: ResponseObject = { id: 'as selected', maker, parts: [part] };
  copyKey(
    keyOf('id number maker { ... on Company { code } } parts { id }'),
    { id: '1', number: 7, maker: { code: 'm1', secret: 1 }, parts: [{ id: 1 }, { id: 2 }], other: 1 },
    target,
  );
  expect(target).toEqual({
    id: 'as selected',
    number: 7,
    maker: { country: 'NL', code: 'm1' },
    parts: [{ label: 'a', id: 1 }, { id: 2 }],
  });
  expect(target.maker).toBe(maker);
});

test('a value of a key is copied, because the event is shared', () => {
  const id = { part: 1 };
  const target: ResponseObject = {};
  copyKey(keyOf('id'), { id }, target);
  expect(target).toEqual({ id });
  expect(target.id).not.toBe(id);
});

test('the requirements of a key are its fields, without fragments', () => {
  expect(requiresOf(keyOf('id maker { ... on Company { code } }'))).toEqual([
    { kind: 'Field', name: 'id' },
    { kind: 'Field', name: 'maker', selections: [{ kind: 'Field', name: 'code' }] },
  ]);
});
