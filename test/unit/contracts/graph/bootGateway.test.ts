import { readFileSync } from 'node:fs';
import { afterAll, describe, expect, test } from '@jest/globals';
import { defaultGatewaySettings } from '../../../../contracts/gatewaySettings.ts';
import { bootGateway, type StartGateway } from '../../../../contracts/graph/bootGateway.ts';
import { chooseCanaries } from '../../../../contracts/graph/chooseCanaries.ts';
import { startMockSubgraph } from '../../../../contracts/graph/mockSubgraph.ts';
import { subgraphSchemaOf } from '../../../../contracts/graph/subgraphSchema.ts';
import { startGateway } from '../../../../gateway/cli/contracts/checkSetup.ts';
import { createGateway } from '../../../../gateway/gateway.ts';
import { ComposedGraphs, operationsOf } from './testContracts.ts';

const products = `
  type Query { product(id: ID!, by: By!): Product node: Node }
  type Mutation { rename(id: ID!): Product }
  type Product implements Node @key(fields: "id") { id: ID! name: String! weight: Float state: State }
  type Hidden implements Node @inaccessible { id: ID! }
  interface Node { id: ID! }
  enum State { SECRET @inaccessible OLD }
  input By { words: [String!]! limit: Int sort: Sort! }
  enum Sort { NAME }
`;
const stock = `
  type Product @key(fields: "id") { id: ID! weight: Float @external shipping: Int! @requires(fields: "weight") }
`;

const graphs = new ComposedGraphs();
afterAll(() => graphs[Symbol.asyncDispose]());

describe('bootGateway', () => {
  test('finds nothing when a gateway answers operations of every kind from mock subgraphs', async () => {
    const graph = await graphs.compose({ products, stock });
    const operations = operationsOf(`
      query Page($id: ID!, $by: By!) { product(id: $id, by: $by) { name shipping state } node { __typename id } }
      mutation Rename { rename(id: 1) { id } }
      query Refused { gone }
    `);
    expect(await bootGateway(graph, operations, startGateway)).toEqual([]);
  });

  test('finds nothing when the machine that checks is busy', async () => {
    const graph = await graphs.compose({ products, stock });
    const operations = operationsOf('query Node { node { __typename id } }');
    const samples = Promise.withResolvers<void>();
    let sampleCount = 0;
    let isMeasured = false;
    const load = {
      start: () => {
        isMeasured = true;
      },
      readSample: () => {
        sampleCount += 1;
        // Each sample sheds one more priority.
        if (sampleCount > 3) samples.resolve();
        return { eventLoopDelayMs: 10_000, memory: 0.99 };
      },
      stop: () => {},
    };
    const startBusyGateway: StartGateway = async (options) => {
      const gateway = await createGateway(options, { load });
      const { url, adminUrl } = await gateway.start();
      if (isMeasured) await samples.promise;
      return { url, adminUrl: adminUrl as string, close: () => gateway.close() };
    };
    expect(await bootGateway(graph, operations, startBusyGateway)).toEqual([]);
  });

  test('finds nothing for the demo, whose operations select interfaces', async () => {
    const demo = Object.fromEntries(
      ['accounts', 'inventory', 'products', 'recommendations', 'reviews'].map((name) => [
        name,
        readFileSync(new URL(`../../../../subgraphs/${name}/schema.graphql`, import.meta.url), 'utf8'),
      ]),
    );
    const texts = [
      'productPage',
      'popularMedia',
      'searchUnion',
      'requiresChain',
      'addReview',
      'compositeKeys',
    ].map((name) =>
      readFileSync(new URL(`../../../fixtures/operations/${name}.graphql`, import.meta.url), 'utf8'),
    );
    const graph = await graphs.compose(demo);
    expect(await bootGateway(graph, texts.flatMap(operationsOf), startGateway)).toEqual([]);
  });

  test('finds nothing for fields that need an authenticated client, scopes or policies', async () => {
    const graph = await graphs.compose({
      users: `
        extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@authenticated", "@requiresScopes", "@policy"])
        type Query { me: User! @authenticated }
        type User {
          mail: String! @requiresScopes(scopes: [["read:user", "read:mail"], ["admin"]])
          phone: String! @policy(policies: [["support"]])
        }
      `,
    });
    const operations = operationsOf('query Me { me { mail phone } }');
    expect(await bootGateway(graph, operations, startGateway)).toEqual([]);
  });

  test('finds nothing for an interface that no type implements', async () => {
    const graph = await graphs.compose({
      pages: 'type Query { next: Page pages: [Page!]! title: String } interface Page { id: ID! }',
    });
    const operations = operationsOf('query Pages { next { id } pages { id } title }');
    expect(await bootGateway(graph, operations, startGateway)).toEqual([]);
  });

  test("starts the gateway with the limits and the planner memory of the gateways' configuration", async () => {
    const graph = await graphs.compose({ products, stock });
    const limits = { ...defaultGatewaySettings.limits, rootFields: 60 };
    const aliases = Array.from({ length: 60 }, (_, index) => `a${index}: node { id }`).join(' ');
    const operations = operationsOf(`query Many { ${aliases} }`);
    const planning: unknown[] = [];
    const startAndRecord: typeof startGateway = (options, scopes) => {
      planning.push(options.planning);
      return startGateway(options, scopes);
    };
    const memory = 96 * 1024 ** 2;
    const settings = { limits, planningMemory: memory };
    expect(await bootGateway(graph, operations, startAndRecord, settings)).toEqual([]);
    expect(planning).toMatchObject([{ memory }]);
  });

  test('reports boot-failed when the gateway does not become ready', async () => {
    const graph = await graphs.compose({ products, stock });
    const findings = await bootGateway({ ...graph, sdl: 'type Query { a: Int }' }, [], startGateway);
    expect(findings).toMatchObject([
      {
        rule: 'boot-failed',
        severity: 'breaking',
        message: expect.stringMatching(/^The gateway does not start/),
      },
    ]);
  });

  test('reports canary-failed at an operation whose answer has errors', async () => {
    const graph = await graphs.compose({ products, stock });
    // Subgraphs that differ from those of the supergraph.
    const other = await graphs.compose({
      products,
      stock: stock.replace('shipping: Int!', 'freight: Int!'),
    });
    const operations = operationsOf('query Page { node { ... on Product { shipping } } }');
    const findings = await bootGateway({ ...graph, contracts: other.contracts }, operations, startGateway);
    expect(findings).toEqual([
      {
        rule: 'canary-failed',
        coordinate: 'web/Page',
        severity: 'breaking',
        message: expect.stringContaining('web/Page'),
        location: operations[0]?.location,
        affects: [
          {
            consumer: 'web',
            operation: 'Page',
            location: operations[0]?.location,
            reason: expect.any(String),
          },
        ],
        advice: expect.any(String),
      },
    ]);
  });
});

test('chooseCanaries chooses at most 20 operations and covers every kind and subgraph first', async () => {
  const graph = await graphs.compose({ products, stock });
  const many = Array.from({ length: 30 }, (_, index) => `query Q${index} { node { id } }`).join('\n');
  const operations = operationsOf(
    `${many} query Stock { node { ... on Product { shipping } } } mutation M { rename(id: 1) { id } }`,
  );
  const chosen = chooseCanaries(graph, operations).map(({ name }) => name);
  expect(chosen.length).toBe(20);
  expect(chosen.slice(0, 3)).toEqual(['Stock', 'M', 'Q0']);
});

test('chooseCanaries skips subscriptions and operations that the graph refuses', async () => {
  const graph = await graphs.compose({ products, stock });
  const operations = operationsOf(
    'query Refused { missing { ... on Product { shipping } } node { ... on Product { shipping } } } query Fine { node { id } } subscription S { changed }',
  );
  expect(chooseCanaries(graph, operations).map(({ name }) => name)).toEqual(['Fine']);
});

test('a mock subgraph always returns the same values, and the fields of a representation as given', async () => {
  const graph = await graphs.compose({ products, stock });
  const contract = graph.contracts.get('products');
  if (contract === undefined) throw new Error('no contract');
  const mock = await startMockSubgraph(subgraphSchemaOf(contract), graph.supergraph.apiSchema);
  const ask = async () => {
    const response = await fetch(mock.url, {
      method: 'POST',
      body: JSON.stringify({
        query:
          'query ($r: [_Any!]!) { _entities(representations: $r) { ... on Product { id name state } } node { __typename } }',
        variables: { r: [{ __typename: 'Product', id: '7' }] },
      }),
    });
    return (await response.json()) as unknown;
  };
  const answer = {
    data: {
      _entities: [{ id: '7', name: 'Product.name', state: 'OLD' }],
      node: { __typename: 'Product' },
    },
  };
  expect(await ask()).toEqual(answer);
  expect(await ask()).toEqual(answer);
  await mock.close();
});
