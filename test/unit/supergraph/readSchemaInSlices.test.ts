import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { buildASTSchema, parse, printSchema, validateSchema } from 'graphql';
import {
  buildSchemaInSlices,
  parseSchemaInSlices,
  validateSchemaInSlices,
} from '../../../gateway/supergraph/readSchemaInSlices.ts';
import { runToCompletion, type SlicedTask } from '../../../gateway/time/slicedTask.ts';

const demo = readFileSync(new URL('../../../subgraphs/products/schema.graphql', import.meta.url), 'utf8');

function countSlices(task: SlicedTask<unknown>): number {
  let count = 1;
  while (task.next().done !== true) count += 1;
  return count;
}

describe('a schema that is read in slices', () => {
  test.each([
    [
      'with root types by name',
      'type Query { a: A } type Mutation { a: Int } type Subscription { a: Int } type A { b: B } enum B { C }',
    ],
    [
      'with other root types',
      'schema { query: Read subscription: Live } type Read { a(by: By = { id: 1 }): Node } type Live { a: Int } type Query { a: Int } interface Node { id: ID } type A implements Node { id: ID } union U = A input By { id: ID }',
    ],
    ['of the demo', demo],
  ])('is that of parse and buildASTSchema: %s', (_, sdl) => {
    const document = runToCompletion(parseSchemaInSlices(sdl));
    expect(document).toEqual(parse(sdl, { noLocation: true }));
    const schema = runToCompletion(buildSchemaInSlices(document));
    expect(printSchema(schema)).toBe(printSchema(buildASTSchema(document, { assumeValidSDL: true })));
    expect(schema.getDirectives().map(({ name }) => name)).toContain('skip');
  });

  test('yields for each definition', () => {
    const sdl = Array.from({ length: 1_000 }, (_, index) => `type T${index} { next: T${index} }`).join(' ');
    expect(countSlices(parseSchemaInSlices(sdl))).toBeGreaterThan(1_000);
    expect(countSlices(buildSchemaInSlices(parse(sdl)))).toBeGreaterThan(1_000);
  });

  test.each([
    ['no query type', 'type A { a: Int }', 1],
    [
      'a missing field of an interface',
      'type Query { a: Int } interface I { b: Int } type A implements I { a: Int }',
      1,
    ],
    ['input objects without an end', 'type Query { a(by: I): Int } input I { b: J! } input J { a: I! }', 1],
    ['no problem', 'type Query { a: Int } interface I { a: Int } type A implements I { a: Int }', 0],
  ])('has the problem of validateSchema, which is looked for once: %s', (_, part, count) => {
    const many = Array.from({ length: 1_000 }, (_, index) => `type T${index} { next: T${index} }`).join(' ');
    const build = () => runToCompletion(buildSchemaInSlices(parse(`${many} ${part}`)));
    const expected = validateSchema(build());
    const schema = build();
    const problem = runToCompletion(validateSchemaInSlices(schema));
    expect([problem?.message, expected.length]).toEqual([expected[0]?.message, count]);
    if (count > 0) return;
    Object.assign(schema, { getTypeMap: () => ({}), getQueryType: () => undefined });
    expect(validateSchema(schema)).toEqual([]);
    expect(countSlices(validateSchemaInSlices(build()))).toBeGreaterThan(10);
  });

  test('is refused for a syntax error', () => {
    expect(() => runToCompletion(parseSchemaInSlices('type A { '))).toThrow('Syntax Error');
    expect(() => runToCompletion(parseSchemaInSlices(''))).toThrow('Syntax Error: Unexpected <EOF>.');
  });
});
