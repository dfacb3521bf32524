import { describe, expect, test } from '@jest/globals';
import { composeInThread } from '../../../gateway/supergraph/composeInThread.ts';
import { composeRunningSubgraphs } from '../../../gateway/supergraph/composeRunningSubgraphs.ts';
import { composeSupergraph } from '../../../gateway/supergraph/composeSupergraph.ts';
import { runInThread } from '../../../gateway/supergraph/runInThread.ts';
import { SupergraphRefusedError } from '../../../gateway/supergraph/supergraphRefusedError.ts';
import { federatedSubgraph, federationLink } from '../../harness/composeSubgraphs.ts';
import { people } from '../../harness/peopleSubgraphs.ts';
import { serveSdl } from '../../harness/serveSdl.ts';

const tooDeep = `type Query {\n  a: ${'['.repeat(10_000)}Int${']'.repeat(10_000)}\n}`;

describe('composeSupergraph', () => {
  test('returns an error for fields that require each other, for which the composer finds no end', async () => {
    const result = await composeSupergraph([
      federatedSubgraph(
        'a',
        `type Query { book: Book }
        type Book @key(fields: "id") { id: ID! pages: Int @requires(fields: "weight") weight: Int @external }`,
      ),
      federatedSubgraph(
        'b',
        `type Book @key(fields: "id") { id: ID! weight: Int @requires(fields: "pages") pages: Int @external }`,
      ),
    ]);
    expect(result).toEqual({
      errors: [{ code: 'UNKNOWN', message: expect.stringContaining('leads back to it'), locations: [] }],
    });
  });

  test('returns an error for a type that implements a union of another subgraph, for which the composer throws', async () => {
    const result = await composeSupergraph([
      federatedSubgraph('a', 'type Query { a: Named }\nunion Named = A\ntype A { x: Int }'),
      federatedSubgraph('b', 'interface Named { name: String }\ntype B implements Named { name: String }'),
    ]);
    expect(result).toEqual({
      errors: [
        {
          code: expect.any(String),
          message: expect.stringContaining('Cannot implement non-interface type Named'),
          locations: [],
        },
      ],
    });
  });

  test('returns an error for a @provides of a type that a union does not have, for which the composer throws', async () => {
    const result = await composeSupergraph([
      federatedSubgraph(
        'a',
        `type Query { found: Found @federation__provides(fields: "... on A { name }") }
        union Found = B
        type A @key(fields: "id") { id: ID! name: String @external }
        type B { x: Int }`,
      ),
      federatedSubgraph('b', 'type A @key(fields: "id") { id: ID! name: String @shareable }'),
    ]);
    expect(result).toEqual({
      errors: [
        {
          code: 'UNKNOWN',
          message: expect.stringMatching(/^The composer fails on these schemas: Shouldn't have /),
          locations: [],
        },
      ],
    });
  });

  test('returns the SDL, and hints with their locations', async () => {
    const result = await composeSupergraph([
      federatedSubgraph('a', 'type Query { a: Box }\ntype Box @shareable { size: Int! }'),
      federatedSubgraph('b', 'type Query { b: Box }\ntype Box @shareable { size: Int }'),
    ]);
    expect(result).toEqual({
      sdl: expect.stringContaining('@join__graph(name: "a", url: "http://a.test")'),
      hints: [
        {
          code: 'INCONSISTENT_BUT_COMPATIBLE_FIELD_TYPE',
          message: expect.stringContaining('Type of field "Box.size" is inconsistent but compatible'),
          coordinate: 'Box.size',
          locations: [
            { subgraph: 'a', line: 3, column: 23 },
            { subgraph: 'b', line: 3, column: 23 },
          ],
        },
      ],
    });
  });

  test('returns every composition error with its code and locations', async () => {
    const result = await composeSupergraph([
      federatedSubgraph('a', 'type Query { a: Box }\ntype Box @key(fields: "id") { size: Int }'),
      federatedSubgraph('b', 'type Query { b: Int }\ntype Bag @key(fields: "name") { size: Int }'),
    ]);
    // The directive, and the type that it is applied to.
    const locationsIn = (subgraph: string) => [10, 1].map((column) => ({ subgraph, line: 3, column }));
    expect(result).toEqual({
      errors: [
        {
          code: 'KEY_INVALID_FIELDS',
          message: expect.stringContaining('Cannot query field "id" on type "Box"'),
          locations: locationsIn('a'),
        },
        {
          code: 'KEY_INVALID_FIELDS',
          message: expect.stringContaining('Cannot query field "name" on type "Bag"'),
          locations: locationsIn('b'),
        },
      ],
    });
    expect(
      await composeSupergraph([
        federatedSubgraph('a', 'type Query { a: Box }\ntype Box { size: Int }'),
        federatedSubgraph('b', 'type Query { b: Box }\ntype Box { size: Int }'),
      ]),
    ).toEqual({
      errors: [
        {
          code: 'INVALID_FIELD_SHARING',
          message: expect.stringContaining('Non-shareable field "Box.size"'),
          locations: [],
        },
      ],
    });
  });

  test('names every subgraph with invalid SDL', async () => {
    const result = await composeSupergraph([
      { name: 'a', url: 'http://a.test', sdl: 'type Query {\n  a: [Int\n}' },
      { name: 'b', url: 'http://b.test', sdl: '' },
      { name: 'c', url: 'http://c.test', sdl: tooDeep },
    ]);
    expect(result).toEqual({
      errors: [
        {
          code: 'INVALID_GRAPHQL',
          message: '[a] Syntax Error: Expected "]", found "}".',
          locations: [{ subgraph: 'a', line: 3, column: 1 }],
        },
        {
          code: 'INVALID_GRAPHQL',
          message: '[b] Syntax Error: Unexpected <EOF>.',
          locations: [{ subgraph: 'b', line: 1, column: 1 }],
        },
        {
          code: 'INVALID_GRAPHQL',
          message: '[c] The text is nested more than 1000 levels deep.',
          locations: [{ subgraph: 'c', line: 2, column: 1005 }],
        },
      ],
    });
  });

  test('fetches the SDL of a running subgraph if none is given', async () => {
    await using server = await serveSdl(`${federationLink} type Query { a: Int }`);
    const result = await composeSupergraph([{ name: 'a', url: server.url }]);
    expect(result).toMatchObject({ sdl: expect.stringContaining(`url: "${server.url}"`), hints: [] });
    expect(server.requests).toEqual([
      { method: 'POST', body: { query: 'query __ApolloGetServiceDefinition__ { _service { sdl } }' } },
    ]);
  });

  test('names the running subgraph whose schema cannot be fetched, and the reason', async () => {
    await using server = await serveSdl('');
    server.answer = { status: 200, body: JSON.stringify({ errors: [{ message: 'introspection is off' }] }) };
    expect(await composeSupergraph([{ name: 'a', url: server.url }])).toEqual({
      errors: [
        {
          code: 'SUBGRAPH_UNREACHABLE',
          message: `[a] The schema could not be fetched from ${server.url}: the response (status 200) has errors: introspection is off`,
          locations: [],
        },
      ],
    });
  });
});

describe('composeRunningSubgraphs', () => {
  test('names the subgraph whose schema is nested too deep', async () => {
    const [first, ...others] = people as [(typeof people)[number], ...typeof people];
    await expect(composeRunningSubgraphs([{ ...first, sdl: tooDeep }, ...others])).rejects.toThrow(
      new SupergraphRefusedError(`[${first.name}] The text is nested more than 1000 levels deep.`),
    );
  });

  test('returns the same SDL as composeSupergraph', async () => {
    const here = await composeSupergraph(people);
    expect(await composeRunningSubgraphs(people)).toBe('sdl' in here ? here.sdl : here);
  });

  test("rejects with the composer's message", async () => {
    await expect(
      composeRunningSubgraphs([
        federatedSubgraph('a', 'type Query { a: Box }\ntype Box { size: Int }'),
        federatedSubgraph('b', 'type Query { b: Box }\ntype Box { size: Int }'),
      ]),
    ).rejects.toEqual(
      new SupergraphRefusedError(
        `A valid schema couldn't be composed. The following composition errors were found:\n\tNon-shareable field "Box.size" is resolved from multiple subgraphs: it is resolved from subgraphs "a" and "b" and defined as non-shareable in all of them`,
      ),
    );
  });

  test('ends when the signal is aborted', async () => {
    const stop = new AbortController();
    const composing = composeRunningSubgraphs(people, stop.signal);
    stop.abort(new Error('stopped'));
    await expect(composing).rejects.toThrow('stopped');
  });
});

describe('composeInThread', () => {
  // Long enough to be composed in a thread.
  const long = (sdl: string) => `${sdl}\n${'# …\n'.repeat(20_000)}`;

  test.each([
    ['a supergraph and hints', 'type Box @shareable { size: Int }'],
    ['errors', 'type Box @key(fields: "id") { size: Int }'],
  ])('returns the same result as composeSupergraph: %s', async (_, box) => {
    const subgraphs = [
      federatedSubgraph('a', 'type Query { a: Box }\ntype Box @shareable { size: Int! }'),
      federatedSubgraph('b', long(`type Query { b: Box }\n${box}`)),
    ];
    expect(await composeInThread(subgraphs)).toEqual(await composeSupergraph(subgraphs));
  });

  test('fetches the SDL of running subgraphs itself', async () => {
    await using server = await serveSdl(long(`${federationLink} type Query { a: Int }`));
    const result = await composeInThread([{ name: 'a', url: server.url }], () => ({
      headers: { 'x-key': 'one' },
    }));
    expect(result).toMatchObject({ sdl: expect.stringContaining(`url: "${server.url}"`), hints: [] });
    expect(server.requests).toHaveLength(1);
  });

  test('follows chains of more types than the default stack of a thread has room for', async () => {
    const recurse = 'const depth = (n) => (n === 0 ? 0 : 1 + depth(n - 1));';
    const entry = `import { parentPort } from 'node:worker_threads'; ${recurse} parentPort.postMessage(depth(200_000));`;
    const task = {
      entry: new URL(`data:text/javascript,${encodeURIComponent(entry)}`),
      name: 'deep',
      task: {},
    };
    expect(await runInThread(task)).toBe(200_000);
  });
});
