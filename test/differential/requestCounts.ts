import type { Trial } from '../harness/trial.ts';

interface RequestCount {
  readonly graph: string;
  readonly source: Trial['source'];
  /** The HTTP requests that the subgraphs receive. */
  readonly requests: { readonly gateway: number; readonly apollo: number };
}

/** Operations for which both gateways are correct. The gateway sends fewer requests if two entity fetches to one
 *  subgraph are ready at the same time, or if they fetch the same entity. */
export const requestCounts: readonly RequestCount[] = [
  {
    graph: 'abstractTypes',
    source: '{ first { ... on Page { lines } } nodes(ids: ["h1", "p1"]) { ... on Shop { owner { name } } } }',
    requests: { gateway: 2, apollo: 3 },
  },
  {
    graph: 'composedDirectives',
    source: '{ notes { stars summary } find(by: { id: "n1" }) { stars } }',
    requests: { gateway: 2, apollo: 3 },
  },
  {
    graph: 'differingInputs',
    source: '{ one: cars { describe tint } two: cars(order: PRICE) { mood colour } }',
    requests: { gateway: 2, apollo: 2 },
  },
  {
    graph: 'federationOne',
    source: '{ top { shipping reviews { author { email } } } reviews { product { likes } } }',
    requests: { gateway: 6, apollo: 6 },
  },
  {
    graph: 'inaccessible',
    source: '{ staff { bonus desk } any { ... on Worker { desk lamp { kind } } } }',
    requests: { gateway: 5, apollo: 7 },
  },
  {
    graph: 'interfaceObjectChain',
    source: '{ media { stars } popular { title } }',
    requests: { gateway: 4, apollo: 4 },
  },
  {
    graph: 'interfaceObjectRequires',
    source: '{ media { headline } best { title } }',
    requests: { gateway: 4, apollo: 4 },
  },
  {
    graph: 'interfaceObjects',
    source: '{ media { stars shop { town } } popular { title offer } }',
    requests: { gateway: 7, apollo: 7 },
  },
  {
    graph: 'keys',
    source: '{ users { seat { price } } seats { price of { badge } } }',
    requests: { gateway: 6, apollo: 6 },
  },
  {
    graph: 'loneMembers',
    source:
      '{ only { id } one: only { ... on Lone { price } } onlys { ... on Lone { price } } others { ... on Lone { title } } }',
    requests: { gateway: 4, apollo: 5 },
  },
  {
    graph: 'missingEntities',
    source: '{ posts { author { name } } post(id: "k1") { author { mail } rate } }',
    requests: { gateway: 3, apollo: 4 },
  },
  {
    graph: 'nonNull',
    source: '{ rows { may } board { first { must } rows { sum } } }',
    requests: { gateway: 3, apollo: 5 },
  },
  {
    graph: 'overrides',
    source: '{ books { title stock } newest { stock next { signal } } }',
    requests: { gateway: 6, apollo: 6 },
  },
  {
    graph: 'partialInputs',
    source: '{ owners { kids { label mood } best { note } } }',
    requests: { gateway: 5, apollo: 5 },
  },
  {
    graph: 'provides',
    source: '{ tonight { hall { address { zip } } } stage { name } later { title } }',
    requests: { gateway: 3, apollo: 4 },
  },
  {
    graph: 'requiresAbstract',
    source: '{ tasks { letter card total } others: tasks { line } }',
    requests: { gateway: 2, apollo: 3 },
  },
  {
    graph: 'requiresArguments',
    source: '{ rooms { rent } room(id: "r1") { heat } }',
    requests: { gateway: 3, apollo: 3 },
  },
  {
    graph: 'requiresArguments',
    source: '{ rooms { tax } room(id: "r1") { plain } }',
    requests: { gateway: 2, apollo: 3 },
  },
  {
    graph: 'requiresChain',
    source: '{ parts { cut cost } part(id: "a") { tariff } }',
    requests: { gateway: 3, apollo: 4 },
  },
  {
    graph: 'requiresCircular',
    source: '{ parts { cut } part(id: "a") { origin plain } }',
    requests: { gateway: 2, apollo: 3 },
  },
  {
    graph: 'sharedRoots',
    source: '{ settings { language region plan } items { price } item(id: "i1") { name } }',
    requests: { gateway: 4, apollo: 4 },
  },
  {
    graph: 'sharedRoots',
    source: '{ one: item(id: "i1") { name } two: item(id: "i2") { name price } }',
    requests: { gateway: 2, apollo: 3 },
  },
  {
    graph: 'typeBranches',
    source:
      '{ items { ... on Cup { x: shop { extra } } ... on Hat { x: brand { extra } } ... on Pen { x: shop { id } } } }',
    requests: { gateway: 2, apollo: 2 },
  },
  {
    graph: 'unresolvableKeys',
    source: '{ jobs { queue } heaviest { title } one: job(slug: "slug-j1") { next { title } } }',
    requests: { gateway: 6, apollo: 9 },
  },
  {
    graph: 'values',
    source: '{ trips { start fare { total } } trip(id: "t1") { route { hours } legs { price } } }',
    requests: { gateway: 3, apollo: 5 },
  },
  { graph: 'mutations', source: '{ accounts { title balance } }', requests: { gateway: 4, apollo: 4 } },
];
