/** Each subgraph has a field of its own name for products; `catalog` also has the root field. */
export const subgraphNames = ['catalog', 'prices', 'stock', 'reviews', 'advice'] as const;
export type SubgraphName = (typeof subgraphNames)[number];

/** The subgraph that has the faults. */
export const faultySubgraph = 'advice' satisfies SubgraphName;

export function subgraphSdl(name: SubgraphName): string {
  const root = name === 'catalog' ? 'type Query { product(id: ID!): Product }' : '';
  return `
    extend schema @link(url: "https://specs.apollo.dev/federation/v2.8", import: ["@key"])
    ${root}
    type Product @key(fields: "id") { id: ID! ${name}: String }
  `;
}

/** Needs every subgraph but the faulty one. */
export const unaffectedOperation =
  'query Unaffected($id: ID!) { product(id: $id) { catalog prices stock reviews } }';
/** Needs the faulty subgraph. */
export const affectedOperation = 'query Affected($id: ID!) { product(id: $id) { catalog advice } }';
