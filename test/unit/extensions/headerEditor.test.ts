import { expect, test } from '@jest/globals';
import { HeaderEditor } from '../../../gateway/extensions/headerEditor.ts';
import { HeaderRules } from '../../../gateway/subgraphs/headerRules.ts';

const original = new HeaderRules({ forward: ['x-a', 'x-b'], rules: [] }).select(
  new Map([
    ['x-a', '1'],
    ['x-b', '2'],
  ]),
  undefined,
);
const edit = (change: (editor: HeaderEditor) => void) => {
  const editor = new HeaderEditor(original);
  change(editor);
  return editor.toHeaders();
};

test('headers without a change are the original object', () => {
  expect(edit((editor) => editor.get('X-A'))).toBe(original);
});

test('equal headers have equal keys, independent of the order in which they were set', () => {
  const first = edit((editor) => {
    editor.set('X-C', '3');
    editor.set('x-a', '0');
  });
  const second = edit((editor) => {
    editor.set('x-a', '0');
    editor.set('x-c', '3');
  });
  expect(first).toEqual(second);
  expect(first.pairs).toEqual(['x-a', '0', 'x-b', '2', 'x-c', '3']);
});

test('headers that differ in one name or value have different keys, even where their texts are equal', () => {
  const keys = [
    original.key,
    edit((editor) => editor.delete('x-b')).key,
    edit((editor) => editor.set('x-b', '1')).key,
    edit((editor) => editor.set('x', '11:a')).key,
    edit((editor) => editor.set('x-', '1:a1')).key,
  ];
  expect(new Set(keys).size).toBe(keys.length);
});

test('a deleted header is gone, independent of the case of its name', () => {
  const editor = new HeaderEditor(original);
  editor.delete('X-A');
  expect([editor.get('x-a'), [...editor.entries()]]).toEqual([undefined, [['x-b', '2']]]);
});

test.each([
  ['Host', 'a'],
  ['content-length', '1'],
  ['transfer-encoding', 'chunked'],
  ['x-request-id', 'a'],
  ['bad name', 'a'],
  ['x-a', 'a\r\nhost: b'],
  ['x-a', 'ż'],
  ['x-a', 1 as unknown as string],
])('a header that could change the request itself is refused: %j: %j', (name, value) => {
  expect(() => edit((editor) => editor.set(name, value))).toThrow(TypeError);
});
