import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

export interface StoreSize {
  readonly subgraphs: number;
  /** The number of types in the whole graph. One subgraph defines each; two more subgraphs extend each entity. */
  readonly types: number;
  readonly operations: number;
}

/** `next`: every subgraph has changed, partly in breaking ways. */
type StoreVersion = 'agreed' | 'next';

/** The shares of a subgraph's types: entities with a key, values, inputs and enums. The remaining types are
 *  interfaces. */
const shares = { entity: 0.4, value: 0.3, input: 0.16, enum: 0.1 } as const;

const consumers = ['web', 'ios', 'android', 'partners'];

/** Writes a store like that of a large company, the same for the same size. Each entity has a root field, a list of
 *  and a reference to entities of another subgraph, and fields in other subgraphs, some of them with `@requires`. */
export function writeSyntheticStore(directory: string, size: StoreSize, version: StoreVersion): void {
  const graph = distributeTypes(size);
  for (const subgraph of graph) {
    write(join(directory, 'schemas', `${subgraph.name}.graphql`), schemaOf(subgraph, graph, version));
  }
  const texts = new Map<string, string[]>();
  for (let index = 0; index < size.operations; index += 1) {
    const subgraph = at(graph, index);
    const path = join(consumers[index % consumers.length] ?? '', `${subgraph.name}.graphql`);
    texts.set(path, [...(texts.get(path) ?? []), operationOf(index, graph)]);
  }
  for (const [path, operations] of texts) write(join(directory, 'operations', path), operations.join('\n'));
}

interface Subgraph {
  readonly index: number;
  readonly name: string;
  readonly entities: readonly string[];
  readonly values: readonly string[];
  readonly inputs: readonly string[];
  readonly enums: readonly string[];
  readonly interfaces: readonly string[];
}

function distributeTypes({ subgraphs, types }: StoreSize): readonly Subgraph[] {
  const each = Math.round(types / subgraphs);
  return Array.from({ length: subgraphs }, (_, index) => {
    const names = (kind: string, share: number): string[] =>
      Array.from({ length: Math.max(1, Math.floor(each * share)) }, (_, n) => `S${index}${kind}${n}`);
    const [entities, values, inputs, enums] = [
      names('Entity', shares.entity),
      names('Value', shares.value),
      names('Input', shares.input),
      names('Kind', shares.enum),
    ];
    const rest = each - entities.length - values.length - inputs.length - enums.length;
    const interfaces = Array.from({ length: Math.max(1, rest) }, (_, n) => `S${index}Node${n}`);
    return { index, name: `subgraph${index}`, entities, values, inputs, enums, interfaces };
  });
}

function schemaOf(subgraph: Subgraph, graph: readonly Subgraph[], version: StoreVersion): string {
  const { index, name, entities, values, inputs, enums, interfaces } = subgraph;
  const isNext = version === 'next';
  const [owner, other] = [at(graph, index + 1), at(graph, index + 3)];
  const lines = [
    `# @url http://${name}.example/graphql`,
    'extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key", "@external", "@requires", "@shareable"])',
    'type Query {',
    ...entities.flatMap((entity, n) => [
      `  ${field(entity)}(id: ID!, filter: ${at(inputs, n)}): ${entity}`,
      `  ${field(entity)}List(first: Int = 10, kind: ${at(enums, n)}): [${entity}!]!`,
    ]),
    '}',
    'type Mutation {',
    ...inputs.map((input, n) => `  save${input}(input: ${input}!): ${at(entities, n)}`),
    '}',
    ...interfaces.map((node) => `interface ${node} { id: ID! title: String }`),
    ...entities.flatMap((entity, n) => [
      `type ${entity} implements ${at(interfaces, n)} @key(fields: "id") {`,
      '  id: ID!',
      '  title: String',
      `  amount: ${isNext && n % 7 === 0 ? 'Int' : 'Int!'}`,
      ...(isNext && n % 5 === 0 ? [] : ['  legacyCode: String']),
      ...(isNext && n % 3 === 0 ? ['  added: String'] : []),
      `  kind: ${at(enums, n)}`,
      `  value: ${at(values, n)}`,
      `  values(first: Int): [${at(values, n + 1)}!]!`,
      '  createdAt: String!',
      '  updatedAt: String',
      '  note(language: String): String',
      `  next: ${at(entities, n + 1)}`,
      `  related(first: Int): [${at(owner.entities, n)}!]!`,
      '}',
    ]),
    ...values.map(
      (value, n) =>
        `type ${value} { text: String! amount: Float kind: ${at(enums, n)} since: String unit: String inner: ${at(values, n + 1)} }`,
    ),
    ...inputs.map(
      (input, n) =>
        `input ${input} { text: String limit: Int = 10 kind: ${at(enums, n)}${isNext && n % 4 === 0 ? ' added: Int' : ''} }`,
    ),
    ...enums.map((kind, n) => `enum ${kind} { A B C${isNext && n % 2 === 0 ? ' D' : ''} }`),
    // The fields that this subgraph adds to entities of other subgraphs.
    ...owner.entities.map(
      (entity, n) =>
        `type ${entity} @key(fields: "id") { id: ID! amount: Int${isNext && n % 7 === 0 ? '' : '!'} @external score${index}: Float price${index}: Float @requires(fields: "amount") }`,
    ),
    ...other.entities.map(
      (entity, n) =>
        `type ${entity} @key(fields: "id") { id: ID! tags${index}: [String!] of${index}: ${at(entities, n)} }`,
    ),
  ];
  return `${lines.join('\n')}\n`;
}

/** Selects fields of up to four subgraphs, some of them in sequence. */
function operationOf(index: number, graph: readonly Subgraph[]): string {
  const home = at(graph, index);
  const [owner, before, far] = [at(graph, index + 1), at(graph, index - 1), at(graph, index - 3)];
  const n = Math.floor(index / graph.length);
  const position = n % home.entities.length;
  const entity = at(home.entities, position);
  const wishes = [
    `kind value { text amount kind since }`,
    `next { id title ${n % 4 === 0 ? 'legacyCode' : 'amount'} }`,
    `related(first: 3) { id title value { text } score${home.index} }`,
    `score${before.index} price${before.index}`,
    `tags${far.index} of${far.index} { id title }`,
    `others: related(first: 5) { id price${home.index} next { title amount } related(first: 2) { title score${owner.index} } }`,
  ];
  const chosen = wishes.filter((_, wish) => (n + wish) % 3 !== 0);
  const slo = n % 5 === 0 ? '# @slo latency: 300ms\n' : '';
  return `${slo}query Operation${index}($id: ID!, $filter: ${at(home.inputs, position)}) {
  ${field(entity)}(id: $id, filter: $filter) { id title amount ${chosen.join(' ')} }
  more: ${field(at(home.entities, n + 3))}List(first: 5) { id title score${before.index} }
}
`;
}

function field(type: string): string {
  return `${type[0]?.toLowerCase()}${type.slice(1)}`;
}

function at<T>(list: readonly T[], index: number): T {
  return list[((index % list.length) + list.length) % list.length] as T;
}

function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}
