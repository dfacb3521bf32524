import { expect, test } from '@jest/globals';
import { removeRedundantSelections } from '../../../gateway/operation/removeRedundantSelections.ts';
import {
  type FieldSelection,
  type FragmentSelection,
  SelectionSet,
} from '../../../gateway/operation/selection.ts';
import { normalizeText, schemaOf } from '../../harness/normalize.ts';

const schema = schemaOf(`
  type Query { media: Media }
  interface Media { title: String }
  type Book implements Media { title: String pages: Int }
`);
const { root } = normalizeText(schema, '{ media { title ... on Book { pages } } }');
const [media] = root.selections as [FieldSelection];
const { selections } = media.selectionSet as SelectionSet;
const [title, onBook] = selections as [FieldSelection, FragmentSelection];
const denied: FieldSelection = { ...title, isDenied: true };
const within = (field: FieldSelection): FragmentSelection => ({
  ...onBook,
  selectionSet: new SelectionSet([field]),
});

test.each([
  ['allowed on a type and denied on its interface stays', denied, title, true],
  ['denied on a type and allowed on its interface goes', title, denied, false],
  ['allowed on both goes', title, title, false],
  ['denied on both goes', denied, denied, false],
])('a field that is %s', (_, outer, inner, stays) => {
  const fragment = within(inner);
  expect(removeRedundantSelections([outer, fragment])).toMatchObject(stays ? [outer, fragment] : [outer]);
});
