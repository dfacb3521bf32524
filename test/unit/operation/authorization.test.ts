import { buildSubgraphSchema } from '@apollo/subgraph';
import { afterAll, describe, expect, test } from '@jest/globals';
import { parse } from 'graphql';
import { GatewayError } from '../../../gateway/errors.ts';
import type { Claims } from '../../../gateway/execution/requestContext.ts';
import type { Access } from '../../../gateway/operation/authorization/access.ts';
import { AuthorizationRules } from '../../../gateway/operation/authorization/authorizationRules.ts';
import {
  Authorizer,
  type DecidePolicies,
  type PolicyRequest,
} from '../../../gateway/operation/authorization/authorizer.ts';
import { readRequirements } from '../../../gateway/operation/authorization/requirements.ts';
import { Preparer } from '../../../gateway/operation/preparer.ts';
import type { Supergraph } from '../../../gateway/supergraph/supergraph.ts';
import { composeSubgraphs, federationLink } from '../../harness/composeSubgraphs.ts';
import { loadSupergraphInProcess } from '../../harness/loadSupergraphInProcess.ts';
import { createLocalPipeline } from '../../harness/localPipeline.ts';

const links = `
  schema
    @link(url: "https://specs.apollo.dev/link/v1.0")
    @link(url: "https://specs.apollo.dev/authenticated/v0.1", for: SECURITY)
    @link(url: "https://specs.apollo.dev/requiresScopes/v0.1", as: "scopes")
    @link(url: "https://specs.apollo.dev/policy/v0.1", import: [{ name: "@policy", as: "@rule" }])
  { query: Query }
`;

const read = (sdl: string) => readRequirements(parse(links + sdl, { noLocation: true }));

describe('Requirements of a supergraph', () => {
  test('are read under the names that their specifications are linked with', () => {
    const { requirements, problems } = read(`
      type Query @authenticated {
        a: Int @scopes(scopes: [["b", "a", "a"], ["c"]])
        b: Int @rule(policies: [["p"]]) @policy__policy(policies: [["q"]])
        c: Int @scopes__requiresScopes(scopes: [["c"], ["a", "b"]]) @requiresScopes(scopes: [["x"]])
      }
      scalar Money @authenticated
      enum Grade @rule(policies: ["p"]) { A }
    `);
    const names = [...requirements].map(([at, found]) => [at, ...found.map(({ name }) => name)]);
    expect(names).toEqual([
      ['Query', 'authenticated'],
      ['Query.a', 'scopes [["a","b"],["c"]]'],
      ['Query.b', 'policies [["p"]]', 'policies [["q"]]'],
      ['Query.c', 'scopes [["a","b"],["c"]]'],
      ['Money', 'authenticated'],
      ['Grade', 'policies [["p"]]'],
    ]);
    expect(problems).toEqual([]);
  });

  test('that everyone has are none', () => {
    const { requirements } = read('type Query { a: Int @scopes(scopes: [[]]) b: Int @rule(policies: []) }');
    expect([...requirements]).toEqual([]);
  });

  test.each(['@scopes', '@scopes(scopes: null)', '@scopes(scopes: [[1]])', '@scopes(scopes: [[A]])'])(
    'refuse the supergraph when they cannot be read: %s',
    (directive) => {
      expect(read(`type Query { a: Int ${directive} }`).problems).toEqual([
        'Query.a: @scopes needs `scopes`, a list of lists of strings. Compose the supergraph again.',
      ]);
    },
  );
});

describe('The requirements of an interface', () => {
  const rulesOf = (sdl: string): AuthorizationRules => {
    const document = parse(links + sdl, { noLocation: true });
    return new AuthorizationRules(document, readRequirements(document).requirements);
  };
  const namesOf = (requirements: readonly { name: string }[]) => requirements.map(({ name }) => name);

  test.each([
    ['are those of its implementations together', '@authenticated @scopes(scopes: [["a", "b"]])', []],
    [
      'are its own as far as no implementation has them',
      '@authenticated @scopes(scopes: [["a", "b", "c"]]) @rule(policies: [["p"]])',
      ['scopes [["a","b","c"]]', 'policies [["p"]]'],
    ],
    [
      'are its own if it lacks those of an implementation, because its composition has added none',
      '@authenticated',
      ['authenticated'],
    ],
  ])('%s', (_, declared, own) => {
    const rules = rulesOf(`
      interface Media ${declared} { title: String ${declared} }
      type Book implements Media @authenticated @scopes(scopes: [["a"]]) { title: String @authenticated @scopes(scopes: [["a"]]) }
      type Film implements Media @scopes(scopes: [["b"], ["a", "b"]]) { title: String @scopes(scopes: [["b"], ["a", "b"]]) }
      type Clip implements Media { title: String }
    `);
    expect([namesOf(rules.ofType('Media')), namesOf(rules.ofField('Media', 'title'))]).toEqual([own, own]);
    expect(namesOf(rules.ofField('Book', 'title'))).toEqual([
      ...new Set(['authenticated', 'scopes [["a"]]', ...own]),
    ]);
    // Requirements of the interface itself cannot be avoided by selecting the field on the object's type.
    expect([namesOf(rules.ofType('Clip')), namesOf(rules.ofField('Clip', 'title'))]).toEqual([own, own]);
  });

  test('without implementations are its own', () => {
    const rules = rulesOf('interface Media @authenticated { title: String }');
    expect(namesOf(rules.ofType('Media'))).toEqual(['authenticated']);
  });
});

test('A field needs what its inputs need, through several subgraphs and in nested selections', () => {
  const document = parse(
    `${links}
    type Item {
      a: Int @join__field(graph: A) @authenticated
      b: Int @join__field(graph: B, requires: "a")
      c: Int @join__field(graph: C, requires: "part { ... on Wheel { size } } b")
      d: Int @join__field(graph: C, requires: "c")
      e: Int
      part: Part
    }
    union Part = Wheel
    type Wheel { size: Int @rule(policies: [["p"]]) }`,
    { noLocation: true },
  );
  const rules = new AuthorizationRules(document, readRequirements(document).requirements);
  const needs = ['a', 'b', 'c', 'd', 'e'].map((field) =>
    rules
      .ofField('Item', field)
      .map(({ name }) => name)
      .sort(),
  );
  const all = ['authenticated', 'policies [["p"]]'];
  expect(needs).toEqual([['authenticated'], ['authenticated'], all, all, []]);
});

test('A field that is an input of itself, by a detour, has its requirements in every order in which fields are selected', () => {
  const document = parse(
    `${links}
    interface Node { path: String }
    type Category implements Node {
      parent: Category @join__field(graph: A)
      path: String @join__field(graph: A) @join__field(graph: B, requires: "parent { path depth }") @authenticated
      depth: Int @join__field(graph: A) @join__field(graph: C, requires: "parent { path }") @rule(policies: [["p"]])
    }
    type Tag implements Node { path: String }`,
    { noLocation: true },
  );
  const { requirements } = readRequirements(document);
  const selected = [
    ['Node', 'path'],
    ['Category', 'path'],
    ['Category', 'depth'],
  ] as const;
  for (const order of [selected, selected.toReversed()]) {
    const rules = new AuthorizationRules(document, requirements);
    for (const [type, field] of order) {
      const names = rules.around(type, field).map(({ name }) => name);
      expect([type, field, names.sort()]).toEqual([type, field, ['authenticated', 'policies [["p"]]']]);
    }
    for (const field of ['path', 'depth']) expect(rules.ofField('Category', field)).toHaveLength(2);
  }
});

test('A field needs what its arguments from a context need, also with type conditions in their selection', async () => {
  const composed = await composeSubgraphs([
    {
      name: 'a',
      url: 'http://a.test',
      sdl: `${federationLink}
      type Query { site: Site shop: Shop }
      type Site @context(name: "page") { theme: String @authenticated page: Page }
      type Shop @context(name: "page") { style: String @policy(policies: [["p"]]) page: Page }
      type Page @key(fields: "id") {
        id: ID!
        css(theme: String @fromContext(field: "$page ... on Site { theme } ... on Shop { style }")): String @authenticated @policy(policies: [["p"]])
      }`,
    },
  ]);
  const document = parse(composed, { noLocation: true });
  const rules = new AuthorizationRules(document, readRequirements(document).requirements);
  const needs = rules.ofField('Page', 'css').map(({ name }) => name);
  expect(needs).toEqual(['authenticated', 'policies [["p"]]']);
});

const sdl = `
  type Query { free: Int known: Int @authenticated cost: Int @requiresScopes(scopes: [["cost"], ["shop", "all"]]) code: Int @policy(policies: [["x", "y"], ["z"]]) both: Int @policy(policies: [["z"]]) @requiresScopes(scopes: [["cost"]]) }
`;
let loaded: Promise<Supergraph> | undefined;
const load = () => {
  loaded ??= composeSubgraphs([{ name: 'a', url: 'http://a.test', sdl: federationLink + sdl }]).then(
    loadSupergraphInProcess,
  );
  return loaded;
};
afterAll(async () => (await loaded)?.planner.close());

async function createAuthorizer(...decisions: DecidePolicies[]) {
  const supergraph = await load();
  const authorizer = new Authorizer({
    onDenied: 'filter',
    deciders: [{}, ...decisions.map((decidePolicies) => ({ decidePolicies }))],
  });
  authorizer
    .readSupergraph({ supergraph, document: parse(supergraph.sdl, { noLocation: true }) })
    ?.attach(supergraph);
  const accessFor = (query: string | ReturnType<typeof parse>, claims?: Claims) =>
    authorizer.accessFor(
      {
        document: typeof query === 'string' ? parse(query) : query,
        operationName: undefined,
        headers: new Map([['x-a', 'b']]),
        requestId: 'r1',
      },
      claims,
      supergraph,
    );
  return { authorizer, supergraph, accessFor };
}

describe('The access of a request', () => {
  test('is undefined for an operation that touches nothing protected', async () => {
    const { accessFor } = await createAuthorizer();
    expect(accessFor('{ __typename free }', {})).toBeUndefined();
    expect(accessFor('query { free } fragment F on Query { free }')).toBeUndefined();
  });

  test.each([
    ['a text in scope', { scope: 'other cost' }, true],
    ['a list in scp', { scp: ['shop', 'all'] }, true],
    ['a list in scope', { scope: ['cost'] }, true],
    ['a text in scp', { scp: ' shop  all ' }, true],
    ['both claims together', { scope: 'shop', scp: ['all'] }, true],
    ['a part of a set', { scope: 'shop' }, false],
    ['a scope that only contains the name', { scope: 'costs xcost' }, false],
    ['another type', { scope: { cost: true }, scp: 1 }, false],
    ['a list with other types', { scp: [['cost'], null, 3] }, false],
  ])('has the scopes of the token: %s', async (_, claims, isGranted) => {
    const { accessFor } = await createAuthorizer();
    const access = accessFor('{ cost }', claims) as Access;
    expect([access.isFieldDenied('Query', 'cost'), access.code]).toEqual([!isGranted, 'FORBIDDEN']);
  });

  test('is one object for all requests with equal grants', async () => {
    const { accessFor } = await createAuthorizer();
    const document = parse('{ known cost }');
    const of = (claims?: Claims) => accessFor(document, claims);
    expect(of({ sub: 'a', scope: 'cost more' })).toBe(of({ sub: 'b', scp: ['shop', 'all'] }));
    expect(of({ sub: 'a' })).toBe(of({ sub: 'b' }));
    const keys = [undefined, {}, { scope: 'cost' }].map((claims) => (of(claims) as Access).key);
    expect(keys).toEqual(['00u', '10f', '11']);
  });

  test('equals that of another operation or supergraph if the same requirements are decided in the same way', async () => {
    const [{ accessFor }, other] = [await createAuthorizer(), await createAuthorizer()];
    const access = accessFor('{ known }', {}) as Access;
    expect(access.equals((await other.accessFor('{ free known }', { sub: 'a' })) as Access)).toBe(true);
    const different = [accessFor('{ known }'), accessFor('{ cost }', { scope: 'cost' }), undefined];
    expect((different[1] as Access).key).toBe(access.key);
    expect(different.map((each) => access.equals(each as Access | undefined))).toEqual([false, false, false]);
  });

  test('that is restored has what was granted and nothing else', async () => {
    const { accessFor, authorizer, supergraph } = await createAuthorizer();
    const { grants } = accessFor('{ known }', { scope: 'cost' }) as Access;
    const operation = { document: parse('{ known cost }'), operationName: undefined };
    const restored = authorizer.restoreAccess(JSON.parse(JSON.stringify(grants)), operation, supergraph);
    expect(['known', 'cost', 'free'].map((field) => restored?.isFieldDenied('Query', field))).toEqual([
      false,
      true,
      false,
    ]);
    const without = authorizer.restoreAccess(undefined, operation, supergraph);
    expect([without?.isFieldDenied('Query', 'known'), without?.code]).toEqual([true, 'UNAUTHENTICATED']);
  });

  test('plans an operation once for all clients with equal grants', async () => {
    const { accessFor, supergraph } = await createAuthorizer();
    const planned: string[] = [];
    const counting: Supergraph = {
      ...supergraph,
      planner: {
        ...supergraph.planner,
        plan: (request) => {
          planned.push(request.document);
          return supergraph.planner.plan(request);
        },
      },
    };
    const preparer = new Preparer({ cacheSize: 10, maxSelections: 100, maxVariableValues: 100 });
    const document = parse('{ free known cost }');
    for (let user = 0; user < 20; user++) {
      for (const claims of [undefined, { sub: user }, { sub: user, scope: 'cost' }]) {
        const access = accessFor(document, claims) as Access;
        const request = { document, operationName: undefined, variables: {}, acceptsIncremental: false };
        await preparer.prepare({ ...request, isOverridden: () => false, access }, counting);
      }
    }
    expect(planned).toEqual(['query { free }', 'query { free known }', 'query { free known cost }']);
  });
});

describe('An operation with policies', () => {
  async function execute(decidePolicies: DecidePolicies) {
    const { authorizer, supergraph } = await createAuthorizer(decidePolicies);
    const schema = buildSubgraphSchema({
      typeDefs: parse(federationLink + sdl),
      resolvers: { Query: { code: () => 7, free: () => 1 } },
    });
    const pipeline = createLocalPipeline({ ...supergraph, subgraphs: new Map([['a', schema]]), authorizer });
    const answer = pipeline.execute('{ code free }');
    return { answer, calls: pipeline.calls };
  }

  test('waits for the decision, and fetches what is granted', async () => {
    const { answer, calls } = await execute(async () => ['z']);
    expect(calls).toEqual([]);
    expect(await answer).toEqual({ data: { code: 7, free: 1 } });
    expect(calls).toEqual([{ subgraph: 'a', query: '{code free}' }]);
  });

  test('is not executed when the decision fails', async () => {
    const { answer, calls } = await execute(() =>
      Promise.reject(new GatewayError('EXTENSION_FAILED', 'no answer')),
    );
    await expect(answer).rejects.toMatchObject({ code: 'EXTENSION_FAILED', message: 'no answer' });
    expect(calls).toEqual([]);
  });
});

describe('Policies', () => {
  test('are decided once for an operation that has any, with who asks', async () => {
    const requests: PolicyRequest[] = [];
    const { accessFor } = await createAuthorizer(async (request) => {
      requests.push(request);
      return ['z', 'of another operation'];
    });
    expect(accessFor('{ cost }', {})).toBeDefined();
    expect(requests).toEqual([]);
    const access = (await accessFor('{ code both }', { sub: 'a' })) as Access;
    expect(requests).toEqual([
      { policies: ['x', 'y', 'z'], claims: { sub: 'a' }, headers: new Map([['x-a', 'b']]), requestId: 'r1' },
    ]);
    expect(['code', 'both'].map((field) => access.isFieldDenied('Query', field))).toEqual([false, true]);
  });

  test('are not decided for another operation of the document', async () => {
    const { authorizer, supergraph } = await createAuthorizer(async () => []);
    const document = parse('query Free { free } query Code { code }');
    const request = { document, headers: new Map(), requestId: 'r1' };
    expect(
      authorizer.accessFor({ ...request, operationName: 'Free' }, undefined, supergraph),
    ).toBeUndefined();
  });

  test('may be granted to a request without a token, by several deciders together', async () => {
    const { accessFor } = await createAuthorizer(
      async () => ['x'],
      async () => ['y'],
    );
    const access = await accessFor('{ code }');
    expect([access?.isFieldDenied('Query', 'code'), access?.hasDenials]).toEqual([false, false]);
  });

  test('that are granted in part are denied', async () => {
    const { accessFor } = await createAuthorizer(async () => ['x']);
    const access = (await accessFor('{ code }')) as Access;
    expect([access.isFieldDenied('Query', 'code'), access.code]).toEqual([true, 'UNAUTHENTICATED']);
  });

  test('fail the request with the error of a decider, although another one grants them', async () => {
    const error = new GatewayError('EXTENSION_FAILED', 'no answer');
    const { accessFor } = await createAuthorizer(
      async () => ['z'],
      () => Promise.reject(error),
    );
    await expect(accessFor('{ code }')).rejects.toBe(error);
  });
});
