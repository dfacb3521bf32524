import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { composeSupergraph } from '../../gateway/supergraph/composeSupergraph.ts';
import { folder, run, runInProcess, write } from '../harness/commandFolder.ts';
import { startScriptedSubgraph } from '../harness/scriptedSubgraph.ts';
import { serveSdl } from '../harness/serveSdl.ts';
import { demoSupergraphFile } from '../harness/testGateway.ts';

describe('tributary plan', () => {
  const plan = (operation: string, ...args: string[]) =>
    runInProcess(['plan', '--supergraph', demoSupergraphFile, operation, ...args]);

  test('prints the plan, deferred parts and the critical path', async () => {
    const operation = write(
      'deferred.graphql',
      '{ product(id: "p1") { name ... @defer(label: "opinions") { reviews { body } } } }',
    );
    // With the default timeouts, a busy machine may plan it without @defer.
    const config = write(
      'plan.yaml',
      `supergraph: { file: '${demoSupergraphFile}' }\nplanning: { timeout: 1m, splitTimeout: 1m }\n`,
    );
    // In a process of its own, which has to end by itself.
    expect(await run(['plan', '--config', config, operation])).toEqual({
      code: 0,
      stderr: '',
      stdout: `QueryPlan {
  Defer {
    Primary {
      {
        product(id: "p1") {
          name
        }
      }:
      Fetch(service: "products", id: 0) {
        {
          product(id: "p1") {
            __typename
            name
            id
          }
        }
      }
    }, [
      Deferred(depends: [0], path: "product", label: "1") {
        {
          reviews {
            body
          }
        }:
        Flatten(path: "product") {
          Fetch(service: "reviews") {
            {
              ... on Product {
                __typename
                id
              }
            } =>
            {
              ... on Product {
                reviews {
                  body
                }
              }
            }
          },
        }
      },
    ]
  },
}

Deferred:
  1 "opinions" at product: 2 sequential fetches: products → reviews (product)
Critical path of the first payload: 1 fetch: products
`,
    });
  });

  test('says that a supergraph file is empty', async () => {
    const operation = write('unplanned.graphql', '{ __typename }');
    const file = write('nothing.graphql', '\n');
    const stderr = `${file} is empty; expected: a supergraph.\n`;
    expect(await runInProcess(['plan', '--supergraph', file, operation])).toEqual({
      code: 2,
      stdout: '',
      stderr,
    });
  });

  test('prints the plan as JSON', async () => {
    const operation = write('json.graphql', 'query A { __typename } query B { warehouses { code } }');
    const [a, b] = await Promise.all([
      plan(operation, '--json', '--operation', 'A'),
      plan(operation, '--json', '--operation', 'B'),
    ]);
    expect(JSON.parse(a.stdout)).toEqual({ kind: 'QueryPlan' });
    expect(JSON.parse(b.stdout).node).toMatchObject({ kind: 'Fetch', serviceName: 'inventory' });
  });

  test('fetches the supergraph of a URL with its headers, and exits with code 3 when it is refused', async () => {
    await using registry = await startScriptedSubgraph();
    const sdl = readFileSync(demoSupergraphFile, 'utf8');
    registry.setDefaultScript(({ respond, request }) =>
      request.headers.get('x-key') === 'one' ? respond({ body: sdl }) : respond({ status: 403, body: '' }),
    );
    const operation = write('remote.graphql', '{ warehouses { code } }');
    const planWith = async (key: string) => {
      const config = write(
        'remote.yaml',
        `supergraph: { url: '${registry.url}', headers: { x-key: ${key} } }`,
      );
      const { code, stdout, stderr } = await runInProcess(['plan', '--config', config, operation]);
      return [code, stdout.split('\n').at(-2), stderr];
    };
    expect(await planWith('one')).toEqual([0, 'Critical path: 1 fetch: inventory', '']);
    expect(await planWith('two')).toEqual([
      3,
      undefined,
      `The supergraph could not be fetched from ${registry.url}: the server refuses access (status 403); check supergraph.headers.\n`,
    ]);
  });

  test('needs no environment variables of subgraphs unless it fetches their schemas', async () => {
    await using server = await serveSdl('type Query { a: Int }');
    const subgraphs = `subgraphs: { one: { signing: { secret: "\${NOBODY_SETS_THIS}" } } }`;
    const composed = `supergraph: { subgraphs: [{ name: one, url: '${server.url}' }] }\n${subgraphs}`;
    const file = `supergraph: { file: '${demoSupergraphFile}' }\n${subgraphs}`;
    const planWith = async (config: string, text: string) => {
      const paths = [write('unset.yaml', config), write('unset.graphql', text)] as const;
      return runInProcess(['plan', '--config', ...paths]);
    };
    expect(await planWith(file, '{ warehouses { code } }')).toMatchObject({ code: 0, stderr: '' });
    expect(await planWith(composed, '{ a }')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('subgraphs.one.signing.secret needs the environment variable'),
    });
  });

  test('accepts active override labels', async () => {
    const federation =
      'extend schema @link(url: "https://specs.apollo.dev/federation/v2.7", import: ["@key", "@override"])';
    const composed = await composeSupergraph([
      {
        name: 'old',
        url: 'http://old.test',
        sdl: `${federation} type Query { item: Item } type Item @key(fields: "id") { id: ID! a: Int b: Int }`,
      },
      {
        name: 'new',
        url: 'http://new.test',
        sdl: `${federation} type Item @key(fields: "id") { id: ID! a: Int @override(from: "old", label: "percent(5)") b: Int @override(from: "old", label: "beta") }`,
      },
    ]);
    const supergraph = write('override.graphql', 'sdl' in composed ? composed.sdl : '');
    const operation = write('item.graphql', '{ item { a b } }');
    const subgraphsWith = async (...labels: string[]) => {
      const overrides = labels.flatMap((label) => ['--override', label]);
      const { stdout } = await runInProcess(['plan', '--supergraph', supergraph, ...overrides, operation]);
      return stdout.split('\n').at(-2);
    };
    expect([await subgraphsWith(), await subgraphsWith('beta', 'percent(5)')]).toEqual([
      'Critical path: 1 fetch: old',
      'Critical path: 2 sequential fetches: old → new (item)',
    ]);
    expect(
      await runInProcess(['plan', '--supergraph', supergraph, '--override', 'gamma', operation]),
    ).toEqual({
      code: 2,
      stdout: '',
      stderr: 'No @override has the label "gamma": the supergraph has beta, percent(5).\n',
    });
  });

  test('refuses an invalid operation with every location', async () => {
    const operation = write('invalid.graphql', '{\n  warehouses { code }\n  nothing\n  product { id }\n}\n');
    expect(await plan(operation)).toEqual({
      code: 2,
      stdout: '',
      stderr: [
        'The operation is not valid:',
        `  ${operation}:3:3 Cannot query field "nothing" on type "Query".`,
        `  ${operation}:4:3 Field "product" argument "id" of type "ID!" is required, but it was not provided.`,
        '',
      ].join('\n'),
    });
  });

  test.each([
    ['a syntax error', '{ warehouses {', ['OPERATION:1:15 Syntax Error: Expected Name, found <EOF>.']],
    [
      'several operations',
      'query A { me { id } } query B { me { id } }',
      ['A, B. Choose one with --operation.'],
    ],
    ['a schema', 'type Query { a: Int }', ['OPERATION is a schema; expected: a file with an operation.']],
    [
      'a schema beyond the limits',
      `# composed\n\n"The root."\ntype Query { ${'a: Int '.repeat(5_000)}}`,
      ['OPERATION is a schema; expected: a file with an operation.'],
    ],
    ['no operation', 'fragment F on Query { me { id } }', ['Fragment "F" is never used.']],
    [
      'more than the limits allow',
      `{${'\ntype: me { id }'.repeat(3_000)} }`,
      ['OPERATION: The operation has at least', 'at most 10000 are allowed (limits.tokens).'],
    ],
  ])('refuses a file with %s', async (_title, text, parts) => {
    const operation = write('refused.graphql', text);
    const { code, stdout, stderr } = await plan(operation);
    expect([code, stdout]).toEqual([2, '']);
    for (const part of parts) expect(stderr).toContain(part.replace('OPERATION', operation));
  });

  test('refuses an operation whose root type the supergraph lacks', async () => {
    const composed = await composeSupergraph([
      { name: 'a', url: 'http://a.test', sdl: 'type Query { a: Int }' },
    ]);
    const supergraph = write('queries.graphql', 'sdl' in composed ? composed.sdl : '');
    const operation = write('mutation.graphql', 'mutation { rename }');
    expect(await runInProcess(['plan', '--supergraph', supergraph, operation])).toEqual({
      code: 2,
      stdout: '',
      stderr: `${operation}: the supergraph has no mutation type.\n`,
    });
  });

  test('refuses an operation instead of the name of a file', async () => {
    expect(await plan('{ me { id } }')).toEqual({
      code: 2,
      stdout: '',
      stderr:
        'The operation is read from a file: write it into one, such as operation.graphql, and name the file.\n',
    });
  });

  test('refuses missing files and invalid supergraphs', async () => {
    const operation = write('fine.graphql', '{ __typename }');
    const broken = write('broken.graphql', 'type Query {');
    const [noOperation, noSupergraph, wrongSupergraph] = await Promise.all([
      plan(join(folder, 'nowhere.graphql')),
      runInProcess(['plan', '--supergraph', 'nowhere.graphql', operation]),
      runInProcess(['plan', '--supergraph', broken, operation]),
    ]);
    expect([noOperation, noSupergraph, wrongSupergraph].map(({ code }) => code)).toEqual([2, 2, 2]);
    expect(noOperation.stderr).toBe(`${join(folder, 'nowhere.graphql')} does not exist.\n`);
    expect(noSupergraph.stderr).toBe(`${join(folder, 'nowhere.graphql')} does not exist.\n`);
    expect(wrongSupergraph.stderr).toContain(`The supergraph of ${broken} cannot be used: Syntax Error`);
  });

  test('names the file that is another schema than a supergraph, and how to get one', async () => {
    const operation = write('any.graphql', '{ __typename }');
    const file = write('subgraph.graphql', 'type Query { a: Int }');
    expect(await runInProcess(['plan', '--supergraph', file, operation])).toEqual({
      code: 2,
      stdout: '',
      stderr: `The supergraph of ${file} cannot be used: the schema has no enum join__Graph, so it is not a supergraph. The schemas of subgraphs are composed with \`tributary compose\`.\n`,
    });
  });
});
