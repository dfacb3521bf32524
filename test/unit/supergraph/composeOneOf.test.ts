import { describe, expect, test } from '@jest/globals';
import { isInputObjectType } from 'graphql';
import { composeRunningSubgraphs } from '../../../gateway/supergraph/composeRunningSubgraphs.ts';
import { composeSupergraph } from '../../../gateway/supergraph/composeSupergraph.ts';
import { loadSupergraphInProcess } from '../../harness/loadSupergraphInProcess.ts';

const definition = 'directive @oneOf on INPUT_OBJECT';
const link =
  'extend schema @link(url: "https://specs.apollo.dev/federation/v2.14", import: ["@composeDirective", "@inaccessible", "@tag"])';
const composed =
  'extend schema @link(url: "https://example.com/oneOf/v1.0", import: ["@oneOf"]) @composeDirective(name: "@oneOf")';

/** Composes subgraphs named `a`, `b` and so on, each with a query of its own for the given input types. */
async function compose(...inputs: readonly string[]) {
  const subgraphs = inputs.map((input, index) => {
    const name = 'abc'.charAt(index);
    return { name, url: `http://${name}.test`, sdl: `${input}\ntype Query { ${name}(by: By): ID }` };
  });
  return { subgraphs, result: await composeSupergraph(subgraphs) };
}

async function composeValid(...inputs: readonly string[]) {
  const { result } = await compose(...inputs);
  if ('errors' in result) throw new Error(JSON.stringify(result.errors));
  const { sdl, hints } = result;
  return { sdl, hints, isOneOf: await isOneOfInApi(sdl), by: /^input By[^}]*\}/m.exec(sdl)?.[0] };
}

/** Whether `By` is a `@oneOf` type in the API schema. */
async function isOneOfInApi(sdl: string): Promise<boolean> {
  const { apiSchema, planner } = await loadSupergraphInProcess(sdl);
  await planner.close();
  const type = apiSchema.getType('By');
  return isInputObjectType(type) && type.isOneOf;
}

describe('@oneOf', () => {
  test.each([
    ['without its definition', 'input By @oneOf { id: ID name: String }'],
    ['with its definition', `${definition}\ninput By @oneOf { id: ID name: String }`],
    ['in an extension', 'input By { id: ID }\nextend input By @oneOf { name: String }'],
    ['of a type whose description mentions it', '"directive @oneOf" input By @oneOf { id: ID name: String }'],
    [
      'with tags and an inaccessible field',
      `${link} input By @oneOf { id: ID x: Int @inaccessible @tag(name: "t") }`,
    ],
    [
      'that is composed as a custom directive',
      `${link} ${composed} ${definition} input By @oneOf { id: ID }`,
    ],
  ])('is in the supergraph and the API schema when the subgraph has it %s', async (_, input) => {
    const { sdl, hints, by, isOneOf } = await composeValid(input);
    expect(by).toMatch(/^input By\n {2}@join__type\(graph: A\)\n {2}@oneOf\n\{/);
    expect(sdl.split(definition)).toHaveLength(2);
    expect(hints).toEqual([]);
    expect(isOneOf).toBe(true);
  });

  test('applies to the fields that all subgraphs have', async () => {
    const { by, isOneOf } = await composeValid(
      'input By @oneOf { id: ID name: String }',
      `${link} input By @oneOf { id: ID code: Int }`,
    );
    expect(by).toContain('@oneOf\n{\n  id: ID\n}');
    expect(isOneOf).toBe(true);
  });

  test.each([
    ['', ''],
    [`${link} ${composed} ${definition}`, link],
  ])('is dropped with a hint when only some subgraphs declare it (%j)', async (before, others) => {
    const { sdl, hints, isOneOf } = await composeValid(
      `${before}\ninput By @oneOf { id: ID }`,
      `${others}\n\n  input By { id: ID }`,
    );
    expect(sdl).not.toMatch(/^ +@oneOf/m);
    expect(isOneOf).toBe(false);
    expect(hints).toEqual([
      {
        code: 'INCONSISTENT_ONE_OF',
        message:
          'Input object type "By" is not @oneOf in the supergraph, because only some subgraphs declare it: it is @oneOf in subgraph "a" but not in subgraph "b". The gateway accepts objects with several fields, which subgraph "a" may refuse.',
        coordinate: 'By',
        locations: [{ subgraph: 'b', line: 3, column: 3 }],
      },
    ]);
  });

  test('changes nothing in a supergraph without it', async () => {
    const { sdl } = await composeValid('# @oneOf\ninput By { id: ID }');
    expect(sdl).not.toContain('oneOf');
  });

  test('is refused on fields that cannot be omitted, and in the wrong place', async () => {
    const { result } = await compose(
      'input By @oneOf { id: ID! name: String = "x" code: Int }',
      'type Box @oneOf { size: Int } input By { code: Int }',
    );
    expect(result).toEqual({
      errors: [
        {
          code: 'INVALID_GRAPHQL',
          message: '[b] Directive "@oneOf" may not be used on OBJECT.',
          locations: [],
        },
        {
          code: 'INVALID_GRAPHQL',
          message: '[a] OneOf input field "By.id" must be nullable.',
          locations: [{ subgraph: 'a', line: 1, column: 19 }],
        },
        {
          code: 'INVALID_GRAPHQL',
          message: '[a] OneOf input field "By.name" cannot have a default value.',
          locations: [{ subgraph: 'a', line: 1, column: 27 }],
        },
      ],
    });
  });

  test('is composed in the same way by a gateway that polls its subgraphs', async () => {
    const { subgraphs, result } = await compose(
      'input By @oneOf { id: ID } input Only @oneOf { a: Int b: Int }',
      'input By { id: ID }',
    );
    expect(await composeRunningSubgraphs(subgraphs)).toBe('sdl' in result ? result.sdl : result);
    const invalid = await compose('input By @oneOf { id: ID! }');
    await expect(composeRunningSubgraphs(invalid.subgraphs)).rejects.toThrow(
      '[a] OneOf input field "By.id" must be nullable.',
    );
  });
});

describe('a supergraph of another composer', () => {
  test.each([
    ['with the definition of @oneOf', (sdl: string) => sdl],
    ['without the definition of @oneOf', (sdl: string) => sdl.replace(definition, '')],
    [
      'with @oneOf in an extension',
      (sdl: string) => `${sdl.replace('\n  @oneOf', '')}\nextend input By @oneOf`,
    ],
  ])('is loaded %s', async (_, transform) => {
    const { sdl } = await composeValid('input By @oneOf { id: ID name: String }');
    expect(await isOneOfInApi(transform(sdl))).toBe(true);
  });
});
