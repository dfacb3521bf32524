import { afterEach, describe, expect, test } from '@jest/globals';
import { lexicographicSortSchema, parse, printSchema, validate } from 'graphql';

import { ThreadStartError } from '../../../gateway/planning/threadStartError.ts';
import { loadSupergraph, supergraphId } from '../../../gateway/supergraph/loadSupergraph.ts';
import type { Supergraph } from '../../../gateway/supergraph/supergraph.ts';
import { SupergraphRefusedError } from '../../../gateway/supergraph/supergraphRefusedError.ts';
import { apolloGatewayLoadError } from '../../harness/apolloGatewayLoadError.ts';
import { composeSubgraphs, federationLink } from '../../harness/composeSubgraphs.ts';
import { planInProcess } from '../../harness/inProcessPlanner.ts';
import { people } from '../../harness/peopleSubgraphs.ts';
import { testPlanningLimits } from '../../harness/testPlanningLimits.ts';

const opened: Supergraph[] = [];

async function load(sdl: string, urls?: ReadonlyMap<string, string>): Promise<Supergraph> {
  const supergraph = await loadSupergraph({
    sdl,
    planning: testPlanningLimits,
    startThread: planInProcess,
    ...(urls === undefined ? {} : { urls }),
  });
  opened.push(supergraph);
  return supergraph;
}

afterEach(async () => {
  await Promise.all(opened.splice(0).map(({ planner }) => planner.close()));
});

const otherSchema =
  'the schema has no enum join__Graph, so it is not a supergraph. The schemas of subgraphs are composed with `tributary compose`.';

const only = (sdl: string) => [{ name: 'only', url: 'http://only.test', sdl: `${federationLink}${sdl}` }];

describe('a loaded supergraph', () => {
  test('has its id, its subgraphs with their URLs, and a working planner', async () => {
    const sdl = await composeSubgraphs(people);
    const supergraph = await load(
      sdl,
      new Map([
        ['reviews', 'http://localhost:1/'],
        ['gone', 'http://gone'],
      ]),
    );
    expect(supergraph.id).toBe(supergraphId(sdl));
    expect(supergraph.sdl).toBe(sdl);
    expect([...supergraph.subgraphs]).toEqual([
      ['accounts', { name: 'accounts', url: 'http://accounts.test/graphql' }],
      ['reviews', { name: 'reviews', url: 'http://localhost:1/' }],
    ]);
    expect(
      await supergraph.planner.plan({ document: '{ me { id } }', shouldSplitDefer: false }),
    ).toMatchObject({
      node: { kind: 'Fetch', serviceName: 'accounts' },
    });
  });

  test('has an API schema with all accessible elements and no others', async () => {
    const { apiSchema } = await load(
      await composeSubgraphs(
        only(`
          """A shop."""
          type Query {
            "Finds products."
            find("Words." text: String! = "all \\"new\\"", sort: Sort = NEWEST, by: By = { tags: ["a"] }): [Product!]
            old: String @deprecated(reason: "use find")
            hidden: Secret @inaccessible
          }
          type Secret @inaccessible { id: ID }
          """Order of products."""
          enum Sort { NEWEST "Cheap first." CHEAPEST @deprecated(reason: "slow") SECRET @inaccessible }
          input By { tags: [String!]! = ["b"], limit: Int = 10 @deprecated(reason: "no more") }
          scalar Url @specifiedBy(url: "https://url.test")
          interface Node { id: ID! }
          type Product implements Node @key(fields: "id") { id: ID! link: Url }
          type Book implements Node { id: ID! pages: Int }
          union Thing = Product | Book
          type Mutation { add(thing: ID!): Thing }
        `),
      ),
    );
    expect(printSchema(lexicographicSortSchema(apiSchema))).toBe(`\
directive @defer(if: Boolean! = true, label: String) on FRAGMENT_SPREAD | INLINE_FRAGMENT

type Book implements Node {
  id: ID!
  pages: Int
}

input By {
  limit: Int = 10 @deprecated(reason: "no more")
  tags: [String!]! = ["b"]
}

type Mutation {
  add(thing: ID!): Thing
}

interface Node {
  id: ID!
}

type Product implements Node {
  id: ID!
  link: Url
}

"""A shop."""
type Query {
  """Finds products."""
  find(
    by: By = {limit: 10, tags: ["a"]}
    sort: Sort = NEWEST

    """Words."""
    text: String! = "all \\"new\\""
  ): [Product!]
  old: String @deprecated(reason: "use find")
}

"""Order of products."""
enum Sort {
  """Cheap first."""
  CHEAPEST @deprecated(reason: "slow")
  NEWEST
}

union Thing = Book | Product

scalar Url @specifiedBy(url: "https://url.test")`);
  });

  test('supports @defer on fragments but not @stream', async () => {
    const { apiSchema } = await load(await composeSubgraphs(people));
    const problems = (document: string) => validate(apiSchema, parse(document)).map(({ message }) => message);
    expect(problems('{ me { ... @defer(if: true, label: "a") { name } } }')).toEqual([]);
    expect(problems('{ users @stream { name } }')).toEqual(['Unknown directive "@stream".']);
  });

  test('plans @fromContext', async () => {
    const sdl = await composeSubgraphs([
      {
        name: 'a',
        url: 'http://a.test',
        sdl: `${federationLink} type Query { me: User } type User @key(fields: "id") @context(name: "user") { id: ID! locale: String! kid: Kid } type Kid @key(fields: "id") { id: ID! text(locale: String @fromContext(field: "$user { locale }")): String }`,
      },
      {
        name: 'b',
        url: 'http://b.test',
        sdl: `${federationLink} type User @key(fields: "id") @context(name: "other") { id: ID! nation: String! child: Child } type Child @key(fields: "id") { id: ID! text(nation: String @fromContext(field: "$other { nation }")): String }`,
      },
    ]);
    const supergraph = await load(sdl);
    const plan = await supergraph.planner.plan({
      document: '{ me { kid { text } } }',
      shouldSplitDefer: false,
    });
    expect(JSON.stringify(plan)).toContain('"contextRewrites":[{"kind":"KeyRenamer"');
    expect(await apolloGatewayLoadError(sdl)).toContain('context/v0.1 is for: SECURITY but is unsupported');
  });
});

describe('the refusal of a supergraph', () => {
  test.each([
    [1, 'Query.f10'],
    [13, `${Array.from({ length: 10 }, (_, n) => `Query.f${10 + n}`).join(', ')}, and 3 more`],
  ])('names connectors and how to replace them: %d', async (count, coordinates) => {
    const link = 'extend schema @link(url: "https://specs.apollo.dev/federation/v2.12")';
    const connect = 'extend schema @link(url: "https://specs.apollo.dev/connect/v0.3", import: ["@connect"])';
    const fields = Array.from(
      { length: count },
      (_, n) => `f${10 + n}: [ID] @connect(http: { GET: "http://rest.test/a" }, selection: "id")`,
    );
    const sdl = await composeSubgraphs([
      { name: 'rest', url: 'http://rest.test', sdl: `${link} ${connect} type Query { ${fields.join(' ')} }` },
    ]);
    await expect(load(sdl)).rejects.toEqual(
      new SupergraphRefusedError(
        `@connect is not executed by this version of Tributary: no subgraph resolves the fields of connectors. It is applied at ${coordinates}. Replace each subgraph that uses it by a GraphQL subgraph.`,
      ),
    );
  });

  test.each([
    [
      'https://specs.apollo.dev/inaccessible/v0.9',
      'feature https://specs.apollo.dev/inaccessible/v0.9 is not supported, and the supergraph requires it (`for:` of its link); supported: v0.1, v0.2.',
    ],
    [
      'https://features.test/audit/v1.0',
      'feature https://features.test/audit/v1.0 is not supported, and the supergraph requires it (`for:` of its link).',
    ],
  ])('names a required feature that is not supported: %s', async (url, message) => {
    const withFeature = async (purpose: string) =>
      (await composeSubgraphs(only('type Query { me: ID }'))).replace(
        '@link(url: "https://specs.apollo.dev/join',
        `@link(url: "${url}"${purpose}) $&`,
      );
    for (const purpose of [', for: SECURITY', ', for: EXECUTION']) {
      await expect(load(await withFeature(purpose))).rejects.toEqual(new SupergraphRefusedError(message));
    }
  });

  test.each([
    ['a syntax error', 'type Query {', 'Syntax Error: Expected Name, found <EOF>. (line 1, column 13)'],
    [
      'a schema that is nested too deep',
      `enum join__Graph { A } type Query {\n  a: ${'['.repeat(10_000)}Int${']'.repeat(10_000)}\n}`,
      'The text is nested more than 1000 levels deep. (line 2, column 1005)',
    ],
    ['a schema without federation', 'type Query { me: ID }', otherSchema],
    ['the schema of a subgraph', `${federationLink} type Query { me: ID }`, otherSchema],
    [
      'a supergraph without its links',
      'enum join__Graph { A } type Query { me: ID }',
      'Invalid supergraph: must be a core schema',
    ],
  ])('names %s', async (_what, sdl, message) => {
    await expect(load(sdl)).rejects.toEqual(new SupergraphRefusedError(message));
  });

  test.each([
    ['an unknown type', 'p: ID', 'p: Nothing', 'Unknown type Nothing (line 79, column 6)'],
    [
      'an unknown argument of a directive',
      'join__type(graph: ONLY, key',
      'join__type(graph: ONLY, kee',
      'Unknown argument "kee" on directive "@join__type". (line 76, column 3)',
    ],
    [
      'a required argument that a directive lacks',
      'join__type(graph: ONLY, key',
      'join__type(key',
      'Directive "@join__type" lacks its required argument "graph". (line 76, column 3)',
    ],
    [
      'a key that its subgraph does not have',
      'key: "id"',
      'key: "ident"',
      '[only] On type "P", for @key(fields: "ident"): Cannot query field "ident" on type "P"',
    ],
    [
      'a type that lacks a field of its interface',
      'type P implements N',
      'type P implements M & N',
      'Interface field M.m expected but P does not provide it.\n\nGraphQL request:58:3',
    ],
  ])('names %s in a changed supergraph', async (_what, part, replacement, message) => {
    const sdl = await composeSubgraphs(
      only(`
        type Query { p: P }
        interface N { id: ID! }
        interface M { m: ID }
        type O implements M { m: ID }
        type P implements N @key(fields: "id") { id: ID! p: ID }
      `),
    );
    const loading = load(sdl.replace(part, replacement));
    await expect(loading).rejects.toBeInstanceOf(SupergraphRefusedError);
    await expect(loading).rejects.toThrow(message);
  });

  test.each([
    ['of its own type', 'input A { b: B = {} } input B { x: Int b: B = { x: 9 } }', 'B.b'],
    ['of a type that leads back', 'input A { b: [B!]! = [{}] } input B { a: A = {} }', 'B.a'],
    [
      'with an inner object that leads back',
      'input A { b: B = { c: { x: 1 } } } input B { c: C } input C { x: Int a: A = {} }',
      'C.a',
    ],
  ])('names an input field with a default %s', async (_what, inputs, coordinate) => {
    await expect(load(await composeSubgraphs(only(`type Query { q(a: A): ID } ${inputs}`)))).rejects.toEqual(
      new SupergraphRefusedError(
        `the default value of the input field ${coordinate} leads back to ${coordinate} through the defaults of input types. Remove one of these defaults.`,
      ),
    );
  });

  test('does not apply to a default of an input type without defaults of its own', async () => {
    const inputs = 'input A { b: B = { b: { x: 1 } } c: B = {} } input B { x: Int b: B }';
    await load(await composeSubgraphs(only(`type Query { q(a: A = {}): ID } ${inputs}`)));
  });

  test('names every subgraph without a usable URL, and the option to set', async () => {
    const urls: Record<string, string> = { given: 'http://given.test', none: '', odd: 'odd:4001', moved: '' };
    const sdl = await composeSubgraphs(
      Object.entries(urls).map(([name, url]) => ({
        name,
        url,
        sdl: `${federationLink} type Query { ${name}: ID }`,
      })),
    );
    await expect(load(sdl, new Map([['moved', 'http://moved.test']]))).rejects.toEqual(
      new SupergraphRefusedError(
        'subgraph "none": the supergraph has no URL; set subgraphs.none.url to an http:// or https:// address\n' +
          'subgraph "odd": the supergraph\'s URL is "odd:4001"; set subgraphs.odd.url to an http:// or https:// address',
      ),
    );
    expect((await load(sdl)).subgraphs.get('none')).toEqual({ name: 'none', url: '' });
  });

  test('applies to what Apollo Gateway refuses too, and not to what it accepts', async () => {
    expect(await apolloGatewayLoadError(await composeSubgraphs(people))).toBeUndefined();
    await load(await composeSubgraphs(people));
    const notASupergraph = 'type Query { me: ID }';
    expect(await apolloGatewayLoadError(notASupergraph)).toBe('Invalid supergraph: must be a core schema');
    await expect(load(notASupergraph)).rejects.toBeInstanceOf(SupergraphRefusedError);
  });
});

test('a supergraph for whose planner the system starts no thread is not refused', async () => {
  const error = new ThreadStartError(new Error('EAGAIN'));
  await expect(
    loadSupergraph({
      sdl: await composeSubgraphs(people),
      planning: testPlanningLimits,
      startThread: () => Promise.reject(error),
    }),
  ).rejects.toBe(error);
});
