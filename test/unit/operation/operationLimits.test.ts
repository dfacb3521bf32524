import { describe, expect, test } from '@jest/globals';
import { parse } from 'graphql';
import {
  describeExceededLimit,
  type ExceededLimit,
  findExceededLimit,
  findExceededTextLimit,
  type OperationLimits,
} from '../../../gateway/operation/operationLimits.ts';

const unlimited: OperationLimits = {
  tokens: Number.POSITIVE_INFINITY,
  depth: Number.POSITIVE_INFINITY,
  literalDepth: Number.POSITIVE_INFINITY,
  aliases: Number.POSITIVE_INFINITY,
  rootFields: Number.POSITIVE_INFINITY,
  directives: Number.POSITIVE_INFINITY,
  deferredFragments: Number.POSITIVE_INFINITY,
  recursiveSelections: Number.POSITIVE_INFINITY,
  expandedSize: Number.POSITIVE_INFINITY,
  fieldComparisons: Number.POSITIVE_INFINITY,
};

/** The value of one limit in a text: the smallest limit that lets it pass. */
function measured(limit: keyof OperationLimits, text: string): number {
  return findExceededLimit(parse(text), { ...unlimited, [limit]: -1 })?.value ?? 0;
}

function inText(
  limit: 'tokens' | 'depth' | 'literalDepth',
  allowed: number,
  text: string,
): ExceededLimit | undefined {
  return findExceededTextLimit(text, { ...unlimited, [limit]: allowed });
}

describe('findExceededLimit', () => {
  test.each([
    ['depth', '{ a }', 1],
    ['depth', '{ a { b { c } } d }', 3],
    ['depth', '{ a { ...F } } fragment F on T { b { c } }', 3],
    ['depth', '{ a { ... on T { b } } }', 3],
    ['aliases', '{ x: a y: b { z: c } d }', 3],
    ['aliases', '{ a { ...F } b { ...F } } fragment F on T { x: c y: d }', 4],
    ['rootFields', '{ a b { c d } ...F ... on Query { e } } fragment F on Query { f g { h } }', 5],
    ['directives', 'query ($v: Int @x) @y { a @include(if: true) ... @skip(if: false) { b } }', 4],
    ['deferredFragments', '{ ... @defer { a } ...F @defer } fragment F on Query { ... @defer { b } }', 3],
    ['recursiveSelections', '{ a { b } ...F ...F } fragment F on Query { c d }', 8],
    ['expandedSize', '{ x: ab(cd: "efg", h: [true, {ij: 1.5}]) { k } }', 1 + 2 + 2 + 5 + 1 + 4 + 2 + 3 + 1],
    ['expandedSize', '{ ...F x: a { ...F } } fragment F on Query { bc(d: "\\u0001", e: $fg) @h(i: J) }', 36],
    ['depth', 'query A { a } query B { a { b } }', 1],
  ] as const)('measures %s of %s as %i', (limit, text, value) => {
    expect(measured(limit, text)).toBe(value);
  });

  test('checks every operation of a document', () => {
    const document = parse('query A { a } query B { a { b { c } } }');
    expect(findExceededLimit(document, { ...unlimited, depth: 2 })).toEqual({
      limit: 'depth',
      value: 3,
      allowed: 2,
    });
  });

  test('checks a fragment that is never spread, because validation would visit it', () => {
    const document = parse('{ a } fragment F on Query { x: a y: a z: a }');
    expect(findExceededLimit(document, { ...unlimited, aliases: 2 })).toEqual({
      limit: 'aliases',
      value: 3,
      allowed: 2,
    });
  });

  test('accepts values that are exactly at the limit', () => {
    const document = parse('{ x: a { b } }');
    expect(
      findExceededLimit(document, {
        ...unlimited,
        depth: 2,
        aliases: 1,
        rootFields: 1,
        recursiveSelections: 2,
      }),
    ).toBeUndefined();
  });

  test('measures each fragment once, even when the number of spreads doubles at every level', () => {
    const levels = Array.from(
      { length: 500 },
      (_, level) => `fragment F${level} on T { ...F${level + 1} ...F${level + 1} }`,
    );
    const document = parse(`{ ...F0 } ${levels.join(' ')} fragment F500 on T { a }`);
    expect(findExceededLimit(document, { ...unlimited, recursiveSelections: 1000 })).toMatchObject({
      limit: 'recursiveSelections',
    });
  });

  test.each([
    ['pairs of fields with the same name in one selection set', '{ a a a b b }', 3 + 1 + 5],
    [
      'pairs of fields in merged selection sets',
      '{ a { b } a { b } ... on Query { a { c } } }',
      4 + 3 + 3 + 1,
    ],
    ['pairs of fields with the same alias', '{ x: a x: b a }', 1 + 3],
    ['a fragment once in each selection set', '{ ...F ...F } fragment F on Query { a }', 2 + 1 + 1],
  ])('counts field comparisons for %s', (_, text, count) => {
    const document = parse(text);
    expect(findExceededLimit(document, { ...unlimited, fieldComparisons: count })).toBeUndefined();
    expect(findExceededLimit(document, { ...unlimited, fieldComparisons: count - 1 })).toEqual({
      limit: 'fieldComparisons',
      value: count,
      allowed: count - 1,
    });
  });

  test.each([
    '{ ...F } fragment F on Query { a ...F }',
    '{ ...F } fragment F on Query { a { ...G } } fragment G on T { ...F }',
    '{ ...Unknown }',
  ])('reports nothing for %s, which validation rejects', (text) => {
    expect(findExceededLimit(parse(text), { ...unlimited, aliases: 0, directives: 0 })).toBeUndefined();
  });
});

describe('findExceededTextLimit', () => {
  test('stops reading the text at the token limit', () => {
    expect(inText('tokens', 3, '{ a }')).toBeUndefined();
    expect(inText('tokens', 3, `{ a ${'b '.repeat(1000)}`)).toEqual({
      limit: 'tokens',
      value: 4,
      allowed: 3,
    });
  });

  test.each(['\n', '\r', '\r\n'])('reports more than 10,000 lines, each of which ends with %j', (end) => {
    const withLines = (count: number): string => `{ a(b: """${end.repeat(count - 1)}""") }`;
    expect(inText('tokens', 20, withLines(10_000))).toBeUndefined();
    expect(inText('tokens', 20, withLines(10_001))).toEqual({
      limit: 'lines',
      value: 10_001,
      allowed: 10_000,
    });
  });

  test('reports a name of more than 1,000 characters, but neither a text nor a comment', () => {
    const [allowed, long] = ['x'.repeat(1_000), 'x'.repeat(1_001)];
    expect(inText('tokens', 20, `query ${allowed} { a(b: "${long}") } # ${long}`)).toBeUndefined();
    for (const text of [`query ${long} { a }`, `{ ${long}: a }`, `{ a(b: $${long}) }`, `{ a ...${long} }`]) {
      expect(inText('tokens', 20, text)).toEqual({ limit: 'nameLength', value: 1_001, allowed: 1_000 });
    }
  });

  test.each([
    ['{ a { b { c } } }', true],
    ['{ a { b } c { d } }', false],
    ['{ a(x: [[[1]]]) { b } }', false],
    ['{ a(x: "{{{{") # {{{{\n }', false],
    ['{ a { { {', true],
    ['{ a "unterminated { { { {', false],
  ])('for %s, reports nesting deeper than 2: %s', (text, isDeeper) => {
    expect(inText('depth', 2, text)).toEqual(isDeeper ? { limit: 'depth', value: 3, allowed: 2 } : undefined);
  });

  test.each([
    ['{ a(x: [[1]], y: {z: {}}) { b { c { d } } } }', false],
    ['{ a(x: [[[1]]]) }', true],
    ['{ a(x: {y: {z: {}}}) }', true],
    ['{ a(x: [{y: [1]}]) }', true],
    ['{ a @b(x: [[[1]]]) }', true],
    ['query ($v: [[[Int]]]) { a }', true],
    ['query ($v: Any = [[[1]]]) { a }', true],
    ['query ($v: Any @b(x: 1), $w: Any = [[[1]]]) { a }', true],
    ['{ a ( { { {', true],
    ['{ a(x: "[[[") b(x: [[1]]) c(x: [[1]]) }', false],
  ])('for %s, reports a literal nested deeper than 2: %s', (text, isDeeper) => {
    expect(inText('literalDepth', 2, text)).toEqual(
      isDeeper ? { limit: 'literalDepth', value: 3, allowed: 2 } : undefined,
    );
  });
});

test('describeExceededLimit names the option of a limit, if there is one', () => {
  expect(describeExceededLimit({ limit: 'depth', value: 3, allowed: 2 })).toBe(
    'The operation is nested at least 3 levels deep; at most 2 are allowed (limits.depth).',
  );
  expect(describeExceededLimit({ limit: 'nameLength', value: 1001, allowed: 1000 })).toBe(
    'The operation has a name of 1001 characters; at most 1000 are allowed.',
  );
});
