import { afterEach, describe, expect, test } from '@jest/globals';
import { lexicographicSortSchema, parse, printSchema, validate } from 'graphql';
import { checkWithApolloGateway } from '../../../gateway/supergraph/composeRunning.ts';
import { loadSupergraph, supergraphId } from '../../../gateway/supergraph/loadSupergraph.ts';
import type { Supergraph } from '../../../gateway/supergraph/supergraph.ts';
import { SupergraphRefusedError } from '../../../gateway/supergraph/supergraphRefusedError.ts';
import { compose, federation } from '../../fixtures/supergraphs/compose.ts';
import { people } from '../../fixtures/supergraphs/people.ts';
import { testPlanning } from '../../harness/planningLimits.ts';

const opened: Supergraph[] = [];

async function load(sdl: string, urls?: ReadonlyMap<string, string>): Promise<Supergraph> {
  const supergraph = await loadSupergraph({
    sdl,
    planning: testPlanning,
    ...(urls === undefined ? {} : { urls }),
  });
  opened.push(supergraph);
  return supergraph;
}

afterEach(async () => {
  await Promise.all(opened.splice(0).map(({ planner }) => planner.close()));
});

const only = (sdl: string) => [{ name: 'only', url: 'http://only.test', sdl: `${federation}${sdl}` }];

describe('a loaded supergraph', () => {
  test('has its id, its subgraphs with their URLs, and a planner that plans', async () => {
    const sdl = await compose(people);
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
    expect(await supergraph.planner.plan({ document: '{ me { id } }', defer: false })).toMatchObject({
      node: { kind: 'Fetch', serviceName: 'accounts' },
    });
  });

  test('shows clients everything that they may see, and nothing else', async () => {
    const { apiSchema } = await load(
      await compose(
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

  test('accepts @defer on fragments and knows no @stream', async () => {
    const { apiSchema } = await load(await compose(people));
    const problems = (document: string) => validate(apiSchema, parse(document)).map(({ message }) => message);
    expect(problems('{ me { ... @defer(if: true, label: "a") { name } } }')).toEqual([]);
    expect(problems('{ users @stream { name } }')).toEqual(['Unknown directive "@stream".']);
  });

  test('plans @fromContext, which Apollo Gateway does not load', async () => {
    const sdl = await compose([
      {
        name: 'a',
        url: 'http://a.test',
        sdl: `${federation} type Query { me: User } type User @key(fields: "id") @context(name: "user") { id: ID! locale: String! kid: Kid } type Kid @key(fields: "id") { id: ID! text(locale: String @fromContext(field: "$user { locale }")): String }`,
      },
      {
        name: 'b',
        url: 'http://b.test',
        sdl: `${federation} type User @key(fields: "id") @context(name: "other") { id: ID! nation: String! child: Child } type Child @key(fields: "id") { id: ID! text(nation: String @fromContext(field: "$other { nation }")): String }`,
      },
    ]);
    const supergraph = await load(sdl);
    const plan = await supergraph.planner.plan({ document: '{ me { kid { text } } }', defer: false });
    expect(JSON.stringify(plan)).toContain('"contextRewrites":[{"kind":"KeyRenamer"');
    expect(await checkWithApolloGateway(sdl)).toContain('context/v0.1 is for: SECURITY but is unsupported');
  });
});

describe('a supergraph that is refused', () => {
  test.each([
    ['requiresScopes', 'me: ID @requiresScopes(scopes: [["me"]])'],
    ['authenticated', 'me: ID @authenticated'],
    ['policy', 'me: ID @policy(policies: [["me"]])'],
  ])('names @%s, with the very words of Apollo Gateway', async (feature, field) => {
    const sdl = await compose(only(`type Query { ${field} }`));
    const refusal: unknown = await load(sdl).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(SupergraphRefusedError);
    const { message } = refusal as SupergraphRefusedError;
    expect(message).toContain(
      `feature https://specs.apollo.dev/${feature}/v0.1 is for: SECURITY but is unsupported`,
    );
    expect(message).toBe(await checkWithApolloGateway(sdl));
  });

  test.each([
    ['a syntax error', 'type Query {', 'Syntax Error: Expected Name, found <EOF>. (line 1, column 13)'],
    ['a schema without federation', 'type Query { me: ID }', 'Invalid supergraph: must be a core schema'],
  ])('names %s', async (_what, sdl, message) => {
    await expect(load(sdl)).rejects.toEqual(new SupergraphRefusedError(message));
  });

  test('names every subgraph that nobody gives a usable URL, and what to do', async () => {
    const urls: Record<string, string> = { given: 'http://given.test', none: '', odd: 'odd:4001', moved: '' };
    const sdl = await compose(
      Object.entries(urls).map(([name, url]) => ({
        name,
        url,
        sdl: `${federation} type Query { ${name}: ID }`,
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

  test('is one that Apollo Gateway refuses too, and what it takes is taken', async () => {
    expect(await checkWithApolloGateway(await compose(people))).toBeUndefined();
    expect(await checkWithApolloGateway('type Query { me: ID }')).toBe(
      'Invalid supergraph: must be a core schema',
    );
  });
});
