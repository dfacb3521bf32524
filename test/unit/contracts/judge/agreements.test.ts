import { describe, expect, test } from '@jest/globals';
import { parse } from 'graphql';
import type { ConsumerOperation, OperationSlo } from '../../../../gateway/contracts/contractStore.ts';
import { composeGraph } from '../../../../gateway/contracts/graph/composeGraph.ts';
import { type PlannedGraph, planConsumers } from '../../../../gateway/contracts/graph/planConsumers.ts';
import { judgeAgreements } from '../../../../gateway/contracts/judge/agreements.ts';
import { type Serving, unknownServing } from '../../../../gateway/contracts/serving.ts';

const shelves = `
  type Query { shelf: Shelf found: [Thing!]! }
  type Subscription { moved: Shelf }
  interface Thing { label: String }
  type Shelf implements Thing @key(fields: "id") { id: ID! label: String late: String @enrichment must: Int! }
  type Box implements Thing { label: String @cached(maxAge: "1m", staleIfError: "3m") }`;
const stocks =
  'type Shelf @key(fields: "id") { id: ID! count: Int room: Room } type Room @key(fields: "id") { id: ID! }';
const rooms = 'type Room @key(fields: "id") { id: ID! name: String }';

/** What a check says where `now` is what is agreed on, and `before` what was. */
async function judge(question: {
  readonly query: string;
  readonly slo: OperationSlo;
  readonly serving?: Partial<Serving>;
  readonly now?: readonly string[];
  readonly before?: readonly string[];
}): Promise<readonly string[]> {
  const { query, slo, now = [shelves, stocks, rooms], before } = question;
  const serving = { ...unknownServing, placeOf: () => place, ...question.serving };
  const operations = [{ consumer: 'shop', name: 'Page', document: parse(query), place, slo }];
  const next = await plan(operations, now, serving);
  const gateway = before === undefined ? undefined : await plan(operations, before, serving);
  const found = judgeAgreements({ changes: [], gateway, next, operations, serving });
  return found.map(({ severity, rule, coordinate, message }) => {
    const [, detail] = / (was so before|(?<=may get ).*|(?<=waits for ).*)\.$/.exec(message) ?? [];
    return [severity, rule, coordinate, ...(detail === undefined ? [] : [`(${detail})`])].join(' ');
  });
}

const place = { file: 'page.graphql', line: 3, column: 1 };

const kept = (staleIfError: number, scope?: 'PRIVATE') => ({
  maxAge: 60_000,
  staleWhileRevalidate: 0,
  staleIfError,
  scope,
});

const rules = (configured: Serving['cache']['rules'], enabled = true) => ({
  cache: { enabled, rules: configured },
});

describe('staleness', () => {
  const slo = { staleness: 60_000 };
  const query = 'query Page { shelf { id label count } }';

  test('counts where there is nothing to compare with', async () => {
    expect(await judge({ query: 'query Page { found { label } }', slo })).toEqual([
      'breaking staleness-slo shop/Page (Box.label by 3m)',
    ]);
  });

  test('that was allowed before is not what the change does', async () => {
    const before = [shelves, stocks, rooms];
    expect(await judge({ query: 'query Page { found { label } }', slo, before })).toEqual([
      'dangerous staleness-slo shop/Page (Box.label by 3m. It was so before)',
    ]);
  });

  test.each<[string, Serving['cache']['rules'], readonly string[]]>([
    ['a field', { 'Shelf.label': kept(120_000) }, ['Shelf.label by 2m']],
    ['an interface', { Thing: kept(120_000) }, ['Shelf.label by 2m, Shelf.count by 2m']],
    ['a type with a narrower rule', { Shelf: kept(120_000), 'Shelf.label': kept(0) }, ['Shelf.count by 2m']],
    ['a subgraph that is asked', { 'subgraph:stocks': kept(120_000) }, ['Shelf.count by 2m']],
    ['a subgraph that is not asked', { 'subgraph:rooms': kept(120_000) }, []],
    ['as much as is accepted', { Shelf: kept(60_000) }, []],
    ['what the operation does not select', { 'Shelf.must': kept(120_000) }, []],
  ])('is what the configuration allows: %s', async (_, configured, values) => {
    expect(await judge({ query, slo, serving: rules(configured) })).toEqual(
      values.map((value) => `breaking staleness-slo shop/Page (${value})`),
    );
  });

  test('is what the configuration allows instead of the graph', async () => {
    const found = { query: 'query Page { found { label } }', slo };
    expect(await judge({ ...found, serving: rules({ 'Box.label': kept(30_000) }) })).toEqual([]);
    expect(await judge({ ...found, serving: rules({}, false) })).toEqual([]);
  });

  test('a value that the configuration keeps private does not become public by a directive', async () => {
    const at = (scope: string) => shelves.replace('staleIfError: "3m"', `scope: ${scope}`);
    const question = {
      query: 'query Page { found { label } }',
      slo: {},
      now: [at('PUBLIC')],
      before: [at('PRIVATE')],
    };
    expect(await judge(question)).toEqual(['breaking cache-contract Box.label']);
    const serving = rules({ 'Box.label': kept(0, 'PRIVATE') });
    expect(await judge({ ...question, serving })).toEqual([]);
  });
});

describe('mayDefer', () => {
  const query = 'query Page { shelf { label late } }';

  test('counts where there is nothing to compare with, and is known where there is', async () => {
    const slo = { mayDefer: [] };
    expect(await judge({ query, slo })).toEqual(['breaking enrichment-contract Shelf.late']);
    expect(await judge({ query, slo, before: [shelves, stocks, rooms] })).toEqual([
      'dangerous enrichment-contract Shelf.late (was so before)',
    ]);
  });

  test('counts for what the configuration lets come late', async () => {
    const enrichments = { fields: { 'Shelf.label': {} }, budget: 100 };
    const slo = { mayDefer: ['Shelf.late'] };
    expect(await judge({ query, slo })).toEqual([]);
    expect(await judge({ query, slo, serving: { enrichments } })).toEqual([
      'breaking enrichment-contract Shelf.label',
    ]);
    expect(await judge({ query, slo, serving: { enrichments, waitsForAll: true } })).toEqual([]);
  });

  test('names what there is, and what comes late', async () => {
    const slo = { mayDefer: ['Shelf.late', 'Shelf.lable', 'Rack.late', 'Shelf.label'] };
    expect(await judge({ query, slo })).toEqual([
      'dangerous slo-unmatched shop/Page',
      'dangerous slo-unmatched shop/Page',
      'safe slo-unmatched shop/Page',
    ]);
    const enrichments = { fields: { 'Shelf.label': {} }, budget: 100 };
    expect(
      await judge({ query, slo: { mayDefer: ['Shelf.late', 'Shelf.label'] }, serving: { enrichments } }),
    ).toEqual([]);
  });

  test('is told at its line, with what may be meant', async () => {
    const mayDeferPlace = { file: 'page.graphql', line: 2, column: 1 };
    const slo = { mayDefer: ['Shelf.late', 'Shelf.lable', 'Shelf.label'], mayDeferPlace };
    const operations = [{ consumer: 'shop', name: 'Page', document: parse(query), place, slo }];
    const next = await plan(operations, [shelves]);
    const found = judgeAgreements({ changes: [], gateway: undefined, next, operations });
    expect(found.map(({ place: at, message, advice }) => [at?.line, message, advice])).toEqual([
      [
        2,
        'The @slo mayDefer of shop/Page names Shelf.lable, which the graph does not have.',
        'Did you mean Shelf.label?',
      ],
      [
        2,
        'The @slo mayDefer of shop/Page names Shelf.label, which nothing lets come late in the graph.',
        expect.stringContaining('--gateway-config'),
      ],
    ]);
  });
});

describe('a configuration', () => {
  const query = 'query Page { shelf { label } }';
  const configured: Partial<Serving> = {
    ...rules({ 'Shelf.count': kept(0), 'subgraph:stocks': kept(0), Shelf: kept(0) }),
    enrichments: { fields: { 'Shelf.count': {}, 'Shelf.late': {} }, budget: 100 },
  };

  test('that names what the graph loses breaks', async () => {
    const question = { query, slo: {}, serving: configured, now: [shelves] };
    expect(await judge(question)).toEqual([
      'breaking gateway-config-outdated Shelf.count',
      'breaking gateway-config-outdated subgraph:stocks',
      'breaking gateway-config-outdated Shelf.count',
    ]);
    expect(await judge({ ...question, before: [shelves, stocks, rooms] })).toHaveLength(3);
    expect(await judge({ ...question, before: [shelves] })).toEqual([
      'dangerous gateway-config-outdated Shelf.count (was so before)',
      'dangerous gateway-config-outdated subgraph:stocks (was so before)',
      'dangerous gateway-config-outdated Shelf.count (was so before)',
    ]);
  });

  test('that names what there is, or is not read, does not', async () => {
    expect(await judge({ query, slo: {}, serving: configured })).toEqual([]);
    const off = { ...configured, ...rules(configured.cache?.rules ?? {}, false), waitsForAll: true };
    expect(await judge({ query, slo: {}, serving: off, now: [shelves] })).toEqual([]);
  });
});

describe('latency', () => {
  const slo = { latency: 100 };
  const query = 'query Page { shelf { label room { name } } }';
  const serving = { stepLatencyMs: 40 };

  test('is compared with fetches that wait for each other, where it is known how long one takes', async () => {
    expect(await judge({ query, slo, serving })).toEqual([
      'breaking latency-slo shop/Page (3 fetches one after the other of 40ms)',
    ]);
    expect(await judge({ query, slo })).toEqual([]);
    expect(await judge({ query, slo: {}, serving })).toEqual([]);
    expect(await judge({ query, slo: { latency: 120 }, serving })).toEqual([]);
    expect(await judge({ query, slo: { latency: 119 }, serving })).toHaveLength(1);
  });

  test('that was too long before is not what the change does', async () => {
    const before = [shelves, stocks, rooms];
    expect(await judge({ query, slo, serving, before })).toEqual([
      'dangerous latency-slo shop/Page (3 fetches one after the other of 40ms. It was so before)',
    ]);
    const near = stocks.replace(
      'Room @key(fields: "id") { id: ID! }',
      'Room @key(fields: "id") { id: ID! name: String }',
    );
    expect(await judge({ query, slo, serving, before: [shelves, near] })).toEqual([
      'breaking latency-slo shop/Page (3 fetches one after the other of 40ms)',
    ]);
  });

  test('does not count what comes late: by the client, the graph or the configuration', async () => {
    const deferred = 'query Page { shelf { label ... @defer { room { name } } } }';
    expect(await judge({ query: deferred, slo, serving })).toEqual([]);
    const enrichments = { fields: { 'Shelf.room': {} }, budget: 100 };
    expect(await judge({ query, slo, serving: { ...serving, enrichments } })).toEqual([]);
    const enriched = stocks.replace('room: Room', 'room: Room @enrichment');
    expect(await judge({ query, slo, serving, now: [shelves, enriched, rooms] })).toEqual([]);
    expect(await judge({ query, slo, serving: { ...serving, enrichments, waitsForAll: true } })).toHaveLength(
      1,
    );
  });

  test('is nothing that a subscription has', async () => {
    const subscription = 'subscription Page { moved { label room { name } } }';
    expect(await judge({ query: subscription, slo, serving })).toEqual([]);
  });
});

const link = `extend schema
  @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key", "@provides", "@external", "@composeDirective"])
  @link(url: "https://tributary.dev/spec/v1.0", import: ["@cached", "@enrichment"])
  @composeDirective(name: "@cached") @composeDirective(name: "@enrichment")
directive @cached(maxAge: String!, staleIfError: String, scope: CacheScope) on FIELD_DEFINITION | OBJECT
directive @enrichment(budget: String) on FIELD_DEFINITION
enum CacheScope { PUBLIC PRIVATE }
`;

async function plan(
  operations: readonly ConsumerOperation[],
  sdls: readonly string[],
  serving?: Serving,
): Promise<PlannedGraph> {
  const contracts = sdls.map((sdl, index) => {
    const name = ['shelves', 'stocks', 'rooms'][index] ?? '';
    return { name, url: `http://${name}.invalid/`, file: `schemas/${name}.graphql`, sdl: link + sdl };
  });
  const composed = await composeGraph(new Map(contracts.map((one) => [one.name, one])));
  if ('findings' in composed) throw new Error(composed.findings.map(({ message }) => message).join('\n'));
  const { graph } = composed;
  try {
    return { graph, plans: await planConsumers(graph, operations, { serving }) };
  } finally {
    await graph.supergraph.planner.close();
  }
}
