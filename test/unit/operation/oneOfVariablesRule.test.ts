import { expect, test } from '@jest/globals';
import { buildSchema, parse } from 'graphql';
import { validateDocument } from '../../../gateway/operation/validateDocument.ts';

const schema = buildSchema(`
  input By @oneOf { id: ID any: [By!] one: By }
  input Plain { id: ID }
  type Query { film(by: By, any: [By!]): Int must(by: By!): Int plain(by: Plain!): Int }
`);

const messagesOf = (text: string) => validateDocument(schema, parse(text)).map(({ message }) => message);

test.each([
  ['ID', 'film(by: { id: $v })'],
  ['ID', 'must(by: { id: $v })'],
  ['ID', 'film(any: { id: $v })'],
  ['ID', 'film(any: [{ id: $v }])'],
  ['ID', 'must(by: { any: [{ one: { id: $v } }] })'],
  ['ID = "1"', 'must(by: { id: $v })'],
  ['By', 'must(by: { one: $v })'],
])('a nullable variable of type %s is refused for a field of a @oneOf type: %s', (type, field) => {
  const message = `Variable "$v" is of type "${type.slice(0, 2)}" but must be non-nullable to be used for OneOf Input Object "By".`;
  expect(messagesOf(`query ($v: ${type}) { ${field} }`)).toEqual([message]);
  expect(messagesOf(`query ($v: ${type}) { ...F } fragment F on Query { ${field} }`)).toEqual([message]);
});

test.each([
  ['ID!', 'must(by: { id: $v })'],
  ['[By!]!', 'must(by: { any: $v })'],
  ['By!', 'must(by: { any: [$v] })'],
  ['By', 'film(by: $v)'],
  ['ID', 'plain(by: { id: $v })'],
])('a variable of type %s is accepted: %s', (type, field) => {
  expect(messagesOf(`query ($v: ${type}) { ${field} }`)).toEqual([]);
});
