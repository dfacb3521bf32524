import { expect, test } from '@jest/globals';
import { parse } from 'graphql';
import { hideLiterals } from '../../../gateway/tracing/hideLiterals.ts';

test('hideLiterals empties every literal of a document, and keeps names, variables and enums', () => {
  const document = parse(`
    query Find($id: ID! = "s1", $in: Input = { key: "s2" }) @audit(note: "s3") {
      find(id: $id, near: [51, 4.5], sort: NAME, filter: { secret: "s4", ids: ["s5"] }, on: true) { ...F }
    }
    fragment F on Thing { text(as: """s6""") more @include(if: false) }
  `);
  expect(hideLiterals(document)).toBe(`query Find($id: ID! = "", $in: Input = {}) @audit(note: "") {
  find(id: $id, near: [], sort: NAME, filter: {}, on: true) {
    ...F
  }
}

fragment F on Thing {
  text(as: "")
  more @include(if: false)
}`);
});
