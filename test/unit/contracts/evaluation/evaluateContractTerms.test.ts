import { describe, expect, test } from '@jest/globals';
import { parse } from 'graphql';
import type { ConsumerOperation, OperationSlo } from '../../../../contracts/contractStore.ts';
import { evaluateContractTerms } from '../../../../contracts/evaluation/evaluateContractTerms.ts';
import { defaultGatewaySettings, type GatewaySettings } from '../../../../contracts/gatewaySettings.ts';
import { composeGraph } from '../../../../contracts/graph/composeGraph.ts';
import {
  type PlannedGraph,
  planConsumerOperations,
} from '../../../../contracts/graph/planConsumerOperations.ts';
import { inProcessSupergraphTools } from '../../../harness/inProcessSupergraphTools.ts';

const shelves = `
  type Query { shelf: Shelf found: [Thing!]! }
  type Subscription { moved: Shelf }
  interface Thing { label: String }
  type Shelf implements Thing @key(fields: "id") { id: ID! label: String late: String @enrichment must: Int! }
  type Box implements Thing { label: String @cached(maxAge: "1m", staleIfError: "3m") }`;
const stocks =
  'type Shelf @key(fields: "id") { id: ID! count: Int room: Room } type Room @key(fields: "id") { id: ID! }';
const rooms = 'type Room @key(fields: "id") { id: ID! name: String }';

/** Findings of a check of the subgraphs `now` with the running subgraphs `before`. */
async function evaluate(input: {
  readonly query: string;
  readonly slo: OperationSlo;
  readonly gatewaySettings?: Partial<GatewaySettings>;
  readonly now?: readonly string[];
  readonly before?: readonly string[];
}): Promise<readonly string[]> {
  const { query, slo, now = [shelves, stocks, rooms], before } = input;
  const gatewaySettings = { ...defaultGatewaySettings, locate: () => location, ...input.gatewaySettings };
  const operations = [{ consumer: 'shop', name: 'Page', document: parse(query), location, slo }];
  const next = await plan(operations, now, gatewaySettings);
  const gateway = before === undefined ? undefined : await plan(operations, before, gatewaySettings);
  const findings = evaluateContractTerms({ changes: [], gateway, next, operations, gatewaySettings });
  return findings.map(({ severity, rule, coordinate, message }) => {
    const [, detail] =
      / (existed before the change|(?<=may get ).*|(?<=waits for ).*|(?<=answer waits )up to.*)\.$/.exec(
        message,
      ) ?? [];
    return [severity, rule, coordinate, ...(detail === undefined ? [] : [`(${detail})`])].join(' ');
  });
}

const location = { file: 'page.graphql', line: 3, column: 1 };

const cacheRule = (staleIfError: number, scope?: 'PRIVATE') => ({
  maxAge: 60_000,
  staleWhileRevalidate: 0,
  staleIfError,
  scope,
});

const rules = (configured: GatewaySettings['cache']['rules'], enabled = true) => ({
  cache: { enabled, rules: configured },
});

describe('a staleness objective', () => {
  const slo = { staleness: 60_000 };
  const query = 'query Page { shelf { id label count } }';

  test('is checked when there is no baseline', async () => {
    expect(await evaluate({ query: 'query Page { found { label } }', slo })).toEqual([
      'breaking staleness-slo shop/Page (Box.label by 3m)',
    ]);
  });

  test('that was violated before is dangerous instead of breaking', async () => {
    const before = [shelves, stocks, rooms];
    expect(await evaluate({ query: 'query Page { found { label } }', slo, before })).toEqual([
      'dangerous staleness-slo shop/Page (Box.label by 3m. The problem existed before the change)',
    ]);
  });

  test.each<[string, GatewaySettings['cache']['rules'], readonly string[]]>([
    ['a field', { 'Shelf.label': cacheRule(120_000) }, ['Shelf.label by 2m']],
    ['an interface', { Thing: cacheRule(120_000) }, ['Shelf.label by 2m, Shelf.count by 2m']],
    [
      'a type with a narrower rule',
      { Shelf: cacheRule(120_000), 'Shelf.label': cacheRule(0) },
      ['Shelf.count by 2m'],
    ],
    ['a subgraph that is fetched', { 'subgraph:stocks': cacheRule(120_000) }, ['Shelf.count by 2m']],
    ['a subgraph that is not fetched', { 'subgraph:rooms': cacheRule(120_000) }, []],
    ['as much as is accepted', { Shelf: cacheRule(60_000) }, []],
    ['what the operation does not select', { 'Shelf.must': cacheRule(120_000) }, []],
  ])('is checked against the configuration of the gateways: %s', async (_, configured, values) => {
    expect(await evaluate({ query, slo, gatewaySettings: rules(configured) })).toEqual(
      values.map((value) => `breaking staleness-slo shop/Page (${value})`),
    );
  });

  test('is checked against the configuration instead of the directives of the graph', async () => {
    const input = { query: 'query Page { found { label } }', slo };
    expect(await evaluate({ ...input, gatewaySettings: rules({ 'Box.label': cacheRule(30_000) }) })).toEqual(
      [],
    );
    expect(await evaluate({ ...input, gatewaySettings: rules({}, false) })).toEqual([]);
  });

  test('a value that the configuration keeps private stays private when a directive makes it public', async () => {
    const at = (scope: string) => shelves.replace('staleIfError: "3m"', `scope: ${scope}`);
    const input = {
      query: 'query Page { found { label } }',
      slo: {},
      now: [at('PUBLIC')],
      before: [at('PRIVATE')],
    };
    expect(await evaluate(input)).toEqual(['breaking cache-contract Box.label']);
    const gatewaySettings = rules({ 'Box.label': cacheRule(0, 'PRIVATE') });
    expect(await evaluate({ ...input, gatewaySettings })).toEqual([]);
  });
});

describe('a mayDefer objective', () => {
  const query = 'query Page { shelf { label late } }';

  test('is breaking without a baseline, and dangerous when it was violated before', async () => {
    const slo = { mayDefer: [] };
    expect(await evaluate({ query, slo })).toEqual(['breaking enrichment-contract Shelf.late']);
    expect(await evaluate({ query, slo, before: [shelves, stocks, rooms] })).toEqual([
      'dangerous enrichment-contract Shelf.late (existed before the change)',
    ]);
  });

  test('is checked for fields that the configuration defers', async () => {
    const enrichments = { fields: { 'Shelf.label': {} }, budget: 100 };
    const slo = { mayDefer: ['Shelf.late'] };
    expect(await evaluate({ query, slo })).toEqual([]);
    expect(await evaluate({ query, slo, gatewaySettings: { enrichments } })).toEqual([
      'breaking enrichment-contract Shelf.label',
    ]);
    expect(await evaluate({ query, slo, gatewaySettings: { enrichments, waitsForAll: true } })).toEqual([]);
  });

  test('reports fields that the graph lacks and fields that are never deferred', async () => {
    const slo = { mayDefer: ['Shelf.late', 'Shelf.lable', 'Rack.late', 'Shelf.label'] };
    expect(await evaluate({ query, slo })).toEqual([
      'dangerous slo-unmatched shop/Page',
      'dangerous slo-unmatched shop/Page',
      'safe slo-unmatched shop/Page',
    ]);
    const enrichments = { fields: { 'Shelf.label': {} }, budget: 100 };
    expect(
      await evaluate({
        query,
        slo: { mayDefer: ['Shelf.late', 'Shelf.label'] },
        gatewaySettings: { enrichments },
      }),
    ).toEqual([]);
  });

  test('is not reported for fields that an unknown configuration of the gateways may defer', async () => {
    const slo = { mayDefer: ['Shelf.late', 'Shelf.label'] };
    expect(await evaluate({ query, slo, gatewaySettings: { locate: undefined } })).toEqual([]);
    expect(await evaluate({ query, slo })).toEqual(['safe slo-unmatched shop/Page']);
  });

  test('is reported at its line, with the nearest field', async () => {
    const mayDeferLocation = { file: 'page.graphql', line: 2, column: 1 };
    const slo = { mayDefer: ['Shelf.late', 'Shelf.lable', 'Shelf.label'], mayDeferLocation };
    const operations = [{ consumer: 'shop', name: 'Page', document: parse(query), location, slo }];
    const next = await plan(operations, [shelves]);
    const findings = evaluateContractTerms({ changes: [], gateway: undefined, next, operations });
    expect(findings.map(({ location, message, advice }) => [location?.line, message, advice])).toEqual([
      [
        2,
        'The @slo mayDefer of shop/Page names Shelf.lable, which the graph does not have.',
        'Did you mean Shelf.label?',
      ],
    ]);
  });
});

describe('a gateway configuration', () => {
  const query = 'query Page { shelf { label } }';
  const configured: Partial<GatewaySettings> = {
    ...rules({ 'Shelf.count': cacheRule(0), 'subgraph:stocks': cacheRule(0), Shelf: cacheRule(0) }),
    enrichments: { fields: { 'Shelf.count': {}, 'Shelf.late': {} }, budget: 100 },
  };

  test('that names a removed element is breaking', async () => {
    const input = { query, slo: {}, gatewaySettings: configured, now: [shelves] };
    expect(await evaluate(input)).toEqual([
      'breaking gateway-config-outdated Shelf.count',
      'breaking gateway-config-outdated subgraph:stocks',
      'breaking gateway-config-outdated Shelf.count',
    ]);
    expect(await evaluate({ ...input, before: [shelves, stocks, rooms] })).toHaveLength(3);
    expect(await evaluate({ ...input, before: [shelves] })).toEqual([
      'dangerous gateway-config-outdated Shelf.count (existed before the change)',
      'dangerous gateway-config-outdated subgraph:stocks (existed before the change)',
      'dangerous gateway-config-outdated Shelf.count (existed before the change)',
    ]);
  });

  test('that names existing elements, or is disabled, has no findings', async () => {
    expect(await evaluate({ query, slo: {}, gatewaySettings: configured })).toEqual([]);
    const off = { ...configured, ...rules(configured.cache?.rules ?? {}, false), waitsForAll: true };
    expect(await evaluate({ query, slo: {}, gatewaySettings: off, now: [shelves] })).toEqual([]);
  });
});

describe('a cost limit', () => {
  const shop = (rules: string) =>
    `type Query { shelves(first: Int, label: String): [Shelf!]! ${rules} } type Shelf { id: ID! }`;
  const cost = { max: 50, listSize: 10 };
  const costly = shop('@listSize(assumedSize: 60, requireOneSlicingArgument: false)');

  test.each<
    [
      string,
      { query?: string; now?: string; before?: string; max?: number; rateCost?: number },
      readonly string[],
    ]
  >([
    ['is exceeded by a change', { now: costly, before: shop('') }, ['breaking cost-limit shop/Page']],
    ['is exceeded without a baseline', { now: costly }, ['breaking cost-limit shop/Page']],
    [
      'was exceeded before, too',
      { now: costly, before: costly },
      ['dangerous cost-limit shop/Page (existed before the change)'],
    ],
    ['is not exceeded', { now: costly, max: 60 }, []],
    ['is not set', { now: costly, max: 0 }, []],
    [
      'is not checked for an operation that the graph refuses',
      { now: costly, query: 'query Page { shelves { name } }' },
      [],
    ],
    [
      'counts the defaults of variables',
      {
        query: 'query Page($first: Int = 51) { shelves(first: $first) { id } }',
        now: shop('@listSize(slicingArguments: ["first"])'),
        before: shop(''),
      },
      ['breaking cost-limit shop/Page'],
    ],
    [
      'counts integers without a default as 1',
      {
        query: 'query Page($first: Int, $label: String) { shelves(first: $first, label: $label) { id } }',
        now: shop('@listSize(assumedSize: 60, slicingArguments: ["first"])'),
        before: shop(''),
      },
      [],
    ],
    [
      'needs a slicing argument which an operation does not pass',
      { now: shop('@listSize(slicingArguments: ["first"])'), before: shop(''), max: 5_000 },
      ['breaking cost-limit shop/Page'],
    ],
    [
      'needs a slicing argument which may be a variable',
      {
        query: 'query Page($first: Int, $last: Int) { shelves(first: $first, last: $last) { id } }',
        now: shop('@listSize(slicingArguments: ["first", "last"])').replace('label: String', 'last: Int'),
        max: 5_000,
      },
      [],
    ],
    [
      'is that of a client in a window, and less than one operation costs',
      { now: costly, before: shop(''), max: 0, rateCost: 59 },
      ['breaking cost-limit shop/Page'],
    ],
    ['is that of a client in a window, and allows one operation', { now: costly, max: 0, rateCost: 60 }, []],
  ])(
    'that %s',
    async (_, {
      query = 'query Page { shelves { id } }',
      now = '',
      before,
      max = 50,
      rateCost = 0,
    }, expected) => {
      const findings = await evaluate({
        query,
        slo: {},
        now: [now],
        ...(before === undefined ? {} : { before: [before] }),
        gatewaySettings: { cost: { ...cost, max }, rateCost },
      });
      expect(findings).toEqual(expected);
    },
  );
});

describe('a latency objective', () => {
  const slo = { latency: 100 };
  const query = 'query Page { shelf { label room { name } } }';
  const gatewaySettings = { stepLatencyMs: 40 };

  test('is compared with the number of sequential fetches when the step latency is known', async () => {
    expect(await evaluate({ query, slo, gatewaySettings })).toEqual([
      'breaking latency-slo shop/Page (3 fetches in sequence of 40ms)',
    ]);
    expect(await evaluate({ query, slo })).toEqual([]);
    expect(await evaluate({ query, slo: {}, gatewaySettings })).toEqual([]);
    expect(await evaluate({ query, slo: { latency: 120 }, gatewaySettings })).toEqual([]);
    expect(await evaluate({ query, slo: { latency: 119 }, gatewaySettings })).toHaveLength(1);
  });

  test('that was violated before is dangerous instead of breaking', async () => {
    const before = [shelves, stocks, rooms];
    expect(await evaluate({ query, slo, gatewaySettings, before })).toEqual([
      'dangerous latency-slo shop/Page (3 fetches in sequence of 40ms. The problem existed before the change)',
    ]);
    const near = stocks.replace(
      'Room @key(fields: "id") { id: ID! }',
      'Room @key(fields: "id") { id: ID! name: String }',
    );
    expect(await evaluate({ query, slo, gatewaySettings, before: [shelves, near] })).toEqual([
      'breaking latency-slo shop/Page (3 fetches in sequence of 40ms)',
    ]);
  });

  test('does not count fetches that the client, the graph or the configuration defers', async () => {
    const deferred = 'query Page { shelf { label ... @defer { room { name } } } }';
    expect(await evaluate({ query: deferred, slo, gatewaySettings })).toEqual([]);
    const enrichments = { fields: { 'Shelf.room': {} }, budget: 100 };
    expect(await evaluate({ query, slo, gatewaySettings: { ...gatewaySettings, enrichments } })).toEqual([]);
    const enriched = stocks.replace('room: Room', 'room: Room @enrichment');
    expect(await evaluate({ query, slo, gatewaySettings, now: [shelves, enriched, rooms] })).toEqual([]);
    expect(
      await evaluate({ query, slo, gatewaySettings: { ...gatewaySettings, enrichments, waitsForAll: true } }),
    ).toHaveLength(1);
  });

  test('is compared with the budgets of enrichments that the first response waits for', async () => {
    const budgeted = (budget: string) => [
      shelves.replace('late: String @enrichment', `late: String @enrichment(budget: "${budget}")`),
    ];
    const late = { query: 'query Page { shelf { ...Late } } fragment Late on Shelf { late }', slo };
    const found = ['breaking latency-slo shop/Page (up to 101ms for Shelf.late)'];
    expect(await evaluate({ ...late, now: budgeted('101ms') })).toEqual(found);
    expect(await evaluate({ ...late, now: budgeted('101ms'), before: budgeted('100ms') })).toEqual(found);
    expect(await evaluate({ ...late, now: budgeted('100ms') })).toEqual([]);
    expect(await evaluate({ ...late, now: budgeted('1s'), before: budgeted('2s') })).toEqual([
      'dangerous latency-slo shop/Page (up to 1s for Shelf.late. The problem existed before the change)',
    ]);
    const fields = { 'Shelf.late': { budget: 50 } };
    const lower = { enrichments: { fields, budget: 200 } };
    expect(await evaluate({ ...late, now: budgeted('1s'), gatewaySettings: lower })).toEqual([]);
    expect(await evaluate({ ...late, now: budgeted('1s'), gatewaySettings: { waitsForAll: true } })).toEqual(
      [],
    );
    const deferred = 'query Page { shelf { label ...Late @defer } } fragment Late on Shelf { late }';
    expect(await evaluate({ query: deferred, slo, now: budgeted('1s') })).toEqual([]);
    const deferredOff = deferred.replace('@defer', '@defer(if: false)');
    expect(await evaluate({ query: deferredOff, slo, now: budgeted('1s') })).toHaveLength(1);
  });

  test('is compared with the default budget when the configuration is known', async () => {
    const late = { query: 'query Page { shelf { late } }', slo };
    const enrichments = { fields: {}, budget: 150 };
    expect(await evaluate({ ...late, gatewaySettings: { enrichments } })).toEqual([
      'breaking latency-slo shop/Page (up to 150ms for Shelf.late)',
    ]);
    expect(await evaluate(late)).toEqual([]);
  });

  test('is ignored for a subscription', async () => {
    const subscription = 'subscription Page { moved { label room { name } } }';
    expect(await evaluate({ query: subscription, slo, gatewaySettings })).toEqual([]);
  });
});

const link = `extend schema
  @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key", "@provides", "@external", "@composeDirective", "@listSize"])
  @link(url: "https://tributary.dev/spec/v1.0", import: ["@cached", "@enrichment"])
  @composeDirective(name: "@cached") @composeDirective(name: "@enrichment")
directive @cached(maxAge: String!, staleIfError: String, scope: CacheScope) on FIELD_DEFINITION | OBJECT
directive @enrichment(budget: String) on FIELD_DEFINITION
enum CacheScope { PUBLIC PRIVATE }
`;

async function plan(
  operations: readonly ConsumerOperation[],
  sdls: readonly string[],
  gatewaySettings?: GatewaySettings,
): Promise<PlannedGraph> {
  const contracts = sdls.map((sdl, index) => {
    const name = ['shelves', 'stocks', 'rooms'][index] ?? '';
    return { name, url: `http://${name}.invalid/`, file: `schemas/${name}.graphql`, sdl: link + sdl };
  });
  const composed = await composeGraph(
    new Map(contracts.map((one) => [one.name, one])),
    inProcessSupergraphTools,
  );
  if ('findings' in composed) throw new Error(composed.findings.map(({ message }) => message).join('\n'));
  const { graph } = composed;
  try {
    return {
      graph,
      plans: await planConsumerOperations(graph, operations, { gatewaySettings }),
    };
  } finally {
    await graph.supergraph.planner.close();
  }
}
