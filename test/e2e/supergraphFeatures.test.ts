import { FEDERATION_VERSIONS } from '@apollo/federation-internals';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { pino } from 'pino';
import { type InlineGateway, type InlineSubgraph, startInlineGateway } from '../harness/inlineGateway.ts';

const latest = String(FEDERATION_VERSIONS.latest().version);

const linkOf = (version: string, ...directives: string[]): string =>
  `extend schema @link(url: "https://specs.apollo.dev/federation/${version}", import: ${JSON.stringify(directives)})\n`;

describe('a supergraph with ignored directives', () => {
  let gateway: InlineGateway;

  beforeAll(async () => {
    const link = `${linkOf(latest, '@key', '@tag', '@inaccessible', '@cost', '@listSize', '@cacheTag', '@composeDirective')}
      extend schema
        @link(url: "https://hints.test/hint/v1.0", import: ["@hint"])
        @composeDirective(name: "@hint")
      directive @hint(text: String) repeatable on FIELD_DEFINITION | OBJECT | ENUM_VALUE | ARGUMENT_DEFINITION
      directive @loud(times: Int) on FIELD
      directive @note(any: Any) on QUERY | MUTATION
      scalar Any
    `;
    gateway = await startInlineGateway({
      config: { security: { introspection: true } },
      subgraphs: [
        {
          name: 'products',
          link,
          sdl: `
            type Query {
              brand: Brand
              products(first: Int = 2 @hint(text: "few") @cost(weight: 3)): [Product!]!
                @hint(text: "shelf") @listSize(slicingArguments: ["first"]) @cost(weight: 7)
                @cacheTag(format: "shelf")
            }
            type Product @key(fields: "id") @hint(text: "thing") @tag(name: "shop") @cost(weight: 2)
              @cacheTag(format: "product-{$key.id}") {
              id: ID!
              name: String @tag(name: "shop")
              secret: String @inaccessible
              kind: Kind
            }
            type Brand @key(fields: "id") { id: ID! }
            type Mutation { add(name: String): Product }
            enum Kind { PAN @hint(text: "flat") POT }
          `,
          resolvers: {
            Query: {
              brand: () => ({ id: 'b' }),
              products: () => [{ id: '1', name: 'Pan', kind: 'PAN' }],
            },
            Mutation: { add: (_: never, { name }: never) => ({ id: '2', name }) },
          },
        },
        {
          name: 'stock',
          link,
          sdl: `
            type Product @key(fields: "id") @hint(text: "in store") { id: ID! left: Int @hint(text: "now") }
            type Brand @key(fields: "id") { id: ID! country(code: String): String }
          `,
          resolvers: {
            Product: { left: ({ id }: never) => Number(id) * 10 },
            Brand: { country: (_: never, { code }: never) => code },
          },
        },
      ],
    });
  });
  afterAll(() => gateway.close());

  test('executes operations on several subgraphs and with @defer', async () => {
    const query = '{ products { name kind left } }';
    const product = { name: 'Pan', kind: 'PAN', left: 10 };
    expect((await gateway.execute(query)).body).toEqual({ data: { products: [product] } });
    await using answer = await gateway.executeIncrementally('{ products { name ... @defer { left } } }');
    expect(await answer.remaining()).toEqual([
      { data: { products: [{ name: 'Pan' }] }, hasNext: true },
      { incremental: [{ data: { left: 10 }, path: ['products', 0] }], hasNext: false },
    ]);
  });

  test('hides schema directives and inaccessible elements from clients', async () => {
    const { body } = await gateway.execute(
      '{ __schema { directives { name } types { name } } __type(name: "Product") { fields { name } } }',
    );
    const { __schema, __type } = body.data as Record<string, { [key: string]: { name: string }[] }>;
    const namesOf = (list: readonly { name: string }[] = []) => list.map(({ name }) => name).sort();
    expect(namesOf(__schema?.directives)).toEqual([
      'defer',
      'deprecated',
      'include',
      'loud',
      'note',
      'oneOf',
      'skip',
      'specifiedBy',
    ]);
    expect(namesOf(__schema?.types).filter((name) => !name.startsWith('__'))).toEqual([
      'Any',
      'Boolean',
      'Brand',
      'ID',
      'Int',
      'Kind',
      'Mutation',
      'Product',
      'Query',
      'String',
    ]);
    expect(namesOf(__type?.fields)).toEqual(['id', 'kind', 'left', 'name']);
  });

  test('refuses introspection with a null that only a default value of a variable allows', async () => {
    const query = 'query ($name: String = "Product") { products { name } __type(name: $name) { kind } }';
    const { status, body } = await gateway.execute(query, { variables: { name: null } });
    expect({ status, body }).toMatchObject({
      status: 400,
      body: { errors: [{ extensions: { code: 'BAD_USER_INPUT' } }] },
    });
  });

  test('forwards directives for operations that every subgraph defines', async () => {
    const { body } = await gateway.execute(
      'query ($n: Int) { products { name @loud(times: $n) left @loud } }',
      {
        variables: { n: 3 },
      },
    );
    expect(body).toEqual({ data: { products: [{ name: 'Pan', left: 10 }] } });
    expect(gateway.subgraph('products').calls.at(-1)).toMatchObject({
      query: expect.stringMatching(/name ?@loud\(times: ?\$n\)/),
      variables: { n: 3 },
    });
    expect(gateway.subgraph('stock').calls.at(-1)?.query).toMatch(/left ?@loud/);
  });

  test('forwards directives of operations that every subgraph defines, once in a request for several types', async () => {
    const query = `query Q($any: Any, $code: String) @note(any: [$any, 1]) {
      products { left }
      brand { country(code: $code) }
    }`;
    const variables = { any: { a: 1 }, code: 'de' };
    gateway.subgraph('stock').reset();
    const { body } = await gateway.execute(query, { variables });
    expect(body).toEqual({ data: { products: [{ left: 10 }], brand: { country: 'de' } } });
    expect(gateway.subgraph('products').calls.at(-1)).toMatchObject({
      query: expect.stringMatching(/@note\(any: ?\[\$any,? ?1\]\)/),
      variables: { any: { a: 1 } },
    });
    const { calls } = gateway.subgraph('stock');
    expect(calls).toHaveLength(1);
    expect(calls[0]?.query.match(/@note\(any: ?\[\$any_0,? ?1\]\)/g)).toHaveLength(1);
    expect(calls[0]?.variables).toMatchObject({ any_0: { a: 1 } });
  });

  test('forwards directives of mutations that are divided into several requests', async () => {
    const query = `mutation ($any: Any) @note(any: $any) {
      a: add(name: "A") { name left }
      b: add(name: "B") { name left }
    }`;
    const { body } = await gateway.execute(query, { variables: { any: 1 } });
    expect(body).toEqual({ data: { a: { name: 'A', left: 20 }, b: { name: 'B', left: 20 } } });
    expect(gateway.subgraph('products').calls.at(-1)).toMatchObject({
      query: expect.stringContaining('@note'),
      variables: { any: 1 },
    });
  });
});

test('entities are resolved across subgraphs of every version of Federation', async () => {
  const versions = FEDERATION_VERSIONS.versions().map(String);
  const nameOf = (version: string) => version.replace('.', '_');
  const subgraphs: InlineSubgraph[] = versions.map((version, index) => ({
    name: nameOf(version),
    link: linkOf(version, '@key', '@shareable'),
    sdl: `
      type Query { ${index === 0 ? 'thing: Thing' : `from_${nameOf(version)}: Thing`} }
      type Thing @key(fields: "id") { id: ID! ${nameOf(version)}: String both: Int @shareable }
    `,
    resolvers: {
      Query: { [index === 0 ? 'thing' : `from_${nameOf(version)}`]: () => ({ id: 'x' }) },
      Thing: { [nameOf(version)]: ({ id }: never) => `${version} ${id}`, both: () => 1 },
    },
  }));
  // Federation 1: no link at all.
  subgraphs.push({
    name: 'one',
    link: '',
    sdl: 'extend type Thing @key(fields: "id") { id: ID! @external one: String }',
    resolvers: { Thing: { one: ({ id }: never) => `v1 ${id}` } },
  });
  await using gateway = await startInlineGateway({ subgraphs });
  const { body } = await gateway.execute(`{ thing { one ${versions.map(nameOf).join(' ')} both } }`);
  expect(body).toEqual({
    data: {
      thing: {
        one: 'v1 x',
        ...Object.fromEntries(versions.map((version) => [nameOf(version), `${version} x`])),
        both: 1,
      },
    },
  });
});

test('a supergraph with an unsupported feature is refused with the reason in log, /supergraph and /health/ready', async () => {
  const lines: { level: number; reason?: string; msg: string }[] = [];
  await using gateway = await startInlineGateway({
    isWatching: true,
    dependencies: { logger: pino({ base: null }, { write: (line) => lines.push(JSON.parse(line)) }) },
    subgraphs: [{ name: 'accounts', sdl: 'type Query { me: String }' }],
    transformSupergraph: (sdl) =>
      sdl.replace(
        '@link(url: "https://specs.apollo.dev/join',
        '@link(url: "https://features.test/audit/v1.0", for: SECURITY) $&',
      ),
  });
  const reason =
    'feature https://features.test/audit/v1.0 is not supported, and the supergraph requires it (`for:` of its link).';
  const readiness = await fetch(new URL('/health/ready', gateway.adminUrl));
  expect([readiness.status, await readiness.json()]).toEqual([
    503,
    { status: 'not ready', reasons: [{ code: 'SUPERGRAPH_UNAVAILABLE', message: reason }] },
  ]);
  const supergraph = await fetch(new URL('/supergraph', gateway.adminUrl));
  expect(await supergraph.json()).toEqual({ supergraph: null, lastRefusal: reason, sourceProblem: null });
  expect(lines.filter(({ level }) => level === 50)).toEqual([
    expect.objectContaining({
      reason,
      source: gateway.supergraphFile,
      msg: 'The new supergraph was refused: requests get 503 SUPERGRAPH_UNAVAILABLE until a valid one arrives.',
    }),
  ]);
  expect((await gateway.execute('{ me }')).status).toBe(503);
});

test('the gateway logs a warning for configured override labels that the supergraph does not have', async () => {
  const lines: { level: number }[] = [];
  await using _gateway = await startInlineGateway({
    config: { override: { labels: { beta: true, gone: 5 } } },
    dependencies: { logger: pino({ base: null }, { write: (line) => lines.push(JSON.parse(line)) }) },
    subgraphs: [
      { name: 'old', sdl: 'type Query { a: Int b: Int }' },
      { name: 'new', sdl: 'type Query { a: Int @override(from: "old", label: "beta") }' },
    ],
  });
  expect(lines.filter(({ level }) => level === 40)).toEqual([
    expect.objectContaining({
      unused: ['gone'],
      labels: ['beta'],
      msg: 'The supergraph does not have all configured labels of @override (override.labels)',
    }),
  ]);
});
