/** Operations and subgraph responses that are as large or as expensive as the default limits allow. */

export type Entity = Readonly<Record<string, unknown>> | { readonly error: string };

export interface StallCase {
  readonly name: string;
  /** Requests that are sent one after the other. */
  readonly requests: () => readonly StallRequest[];
  /** The body of every response to a root fetch. */
  readonly root?: () => string;
  /** The second subgraph's fields of one entity. */
  readonly entity?: (id: string, index: number) => Entity;
}

export interface StallRequest {
  readonly query: string;
  readonly variables?: Readonly<Record<string, unknown>>;
  /** The variables as JSON text, if they are nested too deeply to be serialized. */
  readonly variablesText?: string;
  readonly accept?: string;
}

const defer = 'multipart/mixed;deferSpec=20220824';
const incremental = 'multipart/mixed;incrementalSpec=v0.2';

export const subgraphSchemas = {
  items: `
    scalar Blob
    directive @tag2 on FIELD
    input In { a: Int b: String in: In list: [In!] blob: Blob }
    interface Thing { id: ID! name: String }
    type Query {
      items(n: Int): [Item!]!
      maybe: [Item]
      rows: [Row!]!
      texts: [String!]!
      blob: Blob
      things: [Thing!]!
      pick(in: In blob: Blob ints: [Int!] ins: [In!] ids: [ID!] text: String): Item
    }
    type Item implements Thing @key(fields: "id") {
      id: ID! name: String self: Item kids: [Item!]! maybeKids: [Item] blob: Blob
      ${Array.from({ length: 40 }, (_, i) => `f${i}(a: Int): Int`).join(' ')}
    }
    type Other implements Thing { id: ID! name: String other: Int }
    type Row { id: ID! name: String a: Int b: Int c: Int d: Int text: String blob: Blob kids: [Row!] }
  `,
  prices: `
    type Query { nothing: Int }
    type Item @key(fields: "id") { id: ID! price: Int! label: String near: [Item!] }
  `,
};

const createSingleRequest =
  (query: string, variables?: StallRequest['variables'], accept?: string) => (): StallRequest[] => [
    { query, ...(variables === undefined ? {} : { variables }), ...(accept === undefined ? {} : { accept }) },
  ];
const repeat = (count: number, part: (i: number) => string, separator = ' '): string =>
  Array.from({ length: count }, (_, i) => part(i)).join(separator);

const itemList = (count: number, more: (i: number) => string = () => ''): string =>
  `{"data":{"items":[${repeat(count, (i) => `{"__typename":"Item","id":"${i}","name":"item number ${i}"${more(i)}}`, ',')}]}}`;
const rowList = (count: number, more: (i: number) => string = () => ''): string =>
  `{"data":{"rows":[${repeat(count, (i) => `{"id":"${i}","name":"row number ${i} of the list","a":${i},"b":2,"c":3,"d":4${more(i)}}`, ',')}]}}`;
const rowFields = 'id name a b c d';
/** A row has about 85 bytes. */
const rowsOf = (megabytes: number): number => Math.floor((megabytes * 1e6) / 85);

export const cases: readonly StallCase[] = [
  // The cost of an operation's text.
  {
    name: '9,900 equal fields',
    requests: createSingleRequest(`{ items { ${repeat(9900, () => 'name')} } }`),
  },
  {
    name: '1,500 equal fields with sub-selections',
    requests: createSingleRequest(`{ items { ${repeat(1500, (i) => `self { f${i % 40} }`)} } }`),
  },
  {
    name: '800 equal fields, two levels of them',
    requests: createSingleRequest(`{ items { ${repeat(800, (i) => `self { self { f${i % 40} } }`)} } }`),
  },
  {
    name: '1,900 spreads of 40 fragments',
    requests: createSingleRequest(
      `{ items { ${repeat(1900, (i) => `...F${i % 40}`)} } } ${repeat(40, (i) => `fragment F${i} on Item { f${i} self { f${(i + 1) % 40} } }`)}`,
    ),
  },
  {
    name: '700 fragments each spread once',
    requests: createSingleRequest(
      `{ items { ${repeat(700, (i) => `...F${i}`)} } } ${repeat(700, (i) => `fragment F${i} on Item { self { f${i % 40} } }`)}`,
    ),
  },
  {
    name: '90 fragments that spread each other in chains',
    requests: createSingleRequest(
      `{ items { ...F0 } } ${repeat(90, (i) => `fragment F${i} on Item { self { id ${repeat(8, (k) => `f${(i + k) % 40}`)} } ${i < 89 ? `...F${i + 1}` : ''} }`)}`,
    ),
  },
  {
    name: '400 fragments in a chain',
    requests: createSingleRequest(
      `{ items { ...F0 } } ${repeat(400, (i) => `fragment F${i} on Item { f${i % 40} ${i < 399 ? `...F${i + 1}` : 'name'} }`)}`,
    ),
  },
  {
    name: '1,100 inline fragments of two types',
    requests: createSingleRequest(
      `{ things { ${repeat(1100, (i) => `... on ${i % 2 ? 'Item' : 'Other'} { name id }`)} } }`,
    ),
  },
  {
    name: 'unknown fields, 4,900',
    requests: createSingleRequest(`{ items { ${repeat(4900, (i) => `nope${i}`)} } }`),
  },
  {
    name: 'unknown arguments, 3,200',
    requests: createSingleRequest(`{ items { f0(${repeat(3200, (i) => `z${i}: 1`)}) } }`),
  },
  {
    name: '2,400 unused variables',
    requests: createSingleRequest(`query(${repeat(2400, (i) => `$v${i}: Int`)}) { items { id } }`),
  },
  {
    name: '1,600 variables used once',
    requests: createSingleRequest(
      `query(${repeat(1600, (i) => `$v${i}: Int`)}) { pick(ints: [${repeat(1600, (i) => `$v${i}`)}]) { id } }`,
    ),
  },
  {
    name: '50 operations with 30 variables that a fragment uses 2,000 times',
    requests: createSingleRequest(
      `${repeat(50, (i) => `query Q${i}(${repeat(30, (k) => `$v${k}: Int`)}) { ...F }`)} fragment F on Query { pick(ints: [${repeat(1000, (i) => `$v${i % 30}`)}]) { id } }`,
    ),
  },
  {
    name: '1,200 operations in one document',
    requests: createSingleRequest(`${repeat(1200, (i) => `query Q${i} { items { id } }`)}`),
  },
  {
    name: 'a literal of 9,000 numbers',
    requests: createSingleRequest(`{ pick(ints: [${repeat(9900, (i) => String(i))}]) { id } }`),
  },
  {
    name: 'objects within objects, 99 deep',
    requests: createSingleRequest(
      `{ pick(in: ${repeat(98, () => '{ in: ', '')}{ a: 1 }${repeat(98, () => '}')}) { id } }`,
    ),
  },
  {
    name: 'lists of input objects with errors, 2,000',
    requests: createSingleRequest(`{ pick(ins: [${repeat(1900, () => '{ zzz: 1 }')}]) { id } }`),
  },
  {
    name: '200 aliases of one field with different arguments',
    requests: createSingleRequest(`{ items { id ${repeat(200, (i) => `a${i}: f0(a: ${i})`)} price } }`),
  },
  {
    name: '50 root fields with 40 fields each',
    requests: createSingleRequest(
      `{ ${repeat(50, (i) => `r${i}: items(n: ${i}) { ${repeat(40, (k) => `f${k}`)} price label }`)} }`,
    ),
    root: () => `{"data":{${repeat(50, (i) => `"r${i}":[{"__typename":"Item","id":"${i}"}]`, ',')}}}`,
  },
  {
    name: '40 different operations of 40 fields in a row',
    requests: () =>
      Array.from({ length: 40 }, (_, n) => ({
        query: `{ r${n}: items(n: ${n}) { id ${repeat(40, (k) => `f${k}`)} self { ${repeat(40, (k) => `f${k}`)} } } }`,
      })),
  },
  {
    name: '99 levels',
    requests: createSingleRequest(
      `{ items ${repeat(97, () => '{ id self', '')} { id } ${repeat(97, () => '}')} }`,
    ),
  },
  {
    name: '49 levels of @defer',
    requests: createSingleRequest(
      `{ items { id ${repeat(48, (i) => `... @defer(label: "l${i}") { f${i % 40}`)} price ${repeat(48, () => '}')} } }`,
      undefined,
      incremental,
    ),
  },

  // The cost of variables.
  {
    name: 'variable: a list of 400,000 numbers',
    requests: createSingleRequest('query($v: [Int!]) { pick(ints: $v) { id } }', {
      v: new Array(400_000).fill(1),
    }),
  },
  {
    name: 'variable: 250,000 strings where numbers belong',
    requests: createSingleRequest('query($v: [Int!]) { pick(ints: $v) { id } }', {
      v: new Array(250_000).fill('a'),
    }),
  },
  {
    name: 'variable: 130,000 input objects',
    requests: createSingleRequest('query($v: [In!]) { pick(ins: $v) { id } }', {
      v: new Array(130_000).fill({ a: 1 }),
    }),
  },
  {
    name: 'variable: an unknown field in 100,000 input objects',
    requests: createSingleRequest('query($v: [In!]) { pick(ins: $v) { id } }', {
      v: new Array(100_000).fill({ zz: 1 }),
    }),
  },
  {
    name: 'variable: input objects 3,000 deep',
    requests: createSingleRequest('query($v: In) { pick(in: $v) { id } }', { v: nest(3000) }),
  },
  {
    name: 'variable: lists 450,000 deep as a custom scalar',
    requests: () => [
      {
        query: 'query($v: Blob) { pick(blob: $v) { id } }',
        variablesText: `{"v":${'['.repeat(450_000)}${']'.repeat(450_000)}}`,
      },
    ],
  },
  {
    name: 'variable: 1 MB of a custom scalar',
    requests: createSingleRequest('query($v: Blob) { pick(blob: $v) { id } }', {
      v: new Array(60_000).fill({ a: 'b', c: 1 }),
    }),
  },
  {
    name: 'variable: 50 errors beside 18 kB each',
    requests: createSingleRequest('query($v: [In!]) { pick(ins: $v) { id } }', {
      v: Array.from({ length: 50 }, () => ({ a: 'wrong', b: 'x'.repeat(18_000) })),
    }),
  },
  {
    name: 'variable: a wrong value of 900 kB',
    requests: createSingleRequest('query($v: Int) { pick(ints: [$v]) { id } }', {
      v: new Array(60_000).fill({ a: 'b', c: 1 }),
    }),
  },
  {
    name: 'variable: 50 wrong values of 18 kB',
    requests: createSingleRequest('query($v: [Int]) { pick(ints: [1]) { id } items(n: 1) { id f0(a: 1) } }', {
      v: new Array(50).fill(new Array(1200).fill({ a: 'b', c: 1 })),
    }),
  },
  {
    name: 'variable: 50 wrong fields around one value of 900 kB',
    requests: createSingleRequest('query($v: In) { pick(in: $v) { id } }', {
      v: {
        ...Object.fromEntries(Array.from({ length: 60 }, (_, i) => [`z${i}`, 1])),
        b: 'x'.repeat(900_000),
      },
    }),
  },

  // The cost of subgraph responses.
  ...[1, 5, 20, 60].map(
    (megabytes): StallCase => ({
      name: `response of ${megabytes} MB: rows`,
      requests: createSingleRequest(`{ rows { ${rowFields} } }`),
      root: () => rowList(rowsOf(megabytes)),
    }),
  ),
  {
    name: 'response of 20 MB: rows, with escapes',
    requests: createSingleRequest(`{ rows { ${rowFields} } }`),
    root: () => rowList(rowsOf(20) - 20_000, () => ',"text":"\\n ü"'),
  },
  {
    name: 'response of 20 MB: rows, one of them wrong',
    requests: createSingleRequest(`{ rows { ${rowFields} text } }`),
    root: () => rowList(rowsOf(20), (i) => (i === 7 ? ',"text":5' : '')),
  },
  {
    name: 'response of 5 MB: rows, every one wrong',
    requests: createSingleRequest(`{ rows { ${rowFields} text } }`),
    root: () => rowList(rowsOf(5), () => ',"text":5'),
  },
  {
    name: 'response of 20 MB: rows, as the first of two payloads',
    requests: createSingleRequest(`{ rows { ${rowFields} } ... @defer { texts } }`, undefined, incremental),
    root: () => `${rowList(rowsOf(20)).slice(0, -2)},"texts":["a"]}}`,
  },
  {
    name: 'response of 20 MB: rows, in a deferred payload',
    requests: createSingleRequest(`{ texts ... @defer { rows { ${rowFields} } } }`, undefined, defer),
    root: () => `${rowList(rowsOf(20)).slice(0, -2)},"texts":["a"]}}`,
  },
  {
    name: 'response of 60 MB: one string',
    requests: createSingleRequest('{ texts }'),
    root: () => `{"data":{"texts":["${'x'.repeat(60e6)}"]}}`,
  },
  {
    name: 'response of 60 MB: one string with escapes',
    requests: createSingleRequest('{ texts }'),
    root: () => `{"data":{"texts":["${'x\\n'.repeat(20e6)}"]}}`,
  },
  {
    name: 'response of 20 MB: 2,000,000 strings',
    requests: createSingleRequest('{ texts }'),
    root: () => `{"data":{"texts":[${repeat(2e6, () => '"abcdefg"', ',')}]}}`,
  },
  {
    name: 'response of 20 MB: a custom scalar',
    requests: createSingleRequest('{ blob }'),
    root: () => `{"data":{"blob":${rowList(rowsOf(20))}}}`,
  },
  {
    name: 'response of 20 MB: a custom scalar, 5,000,000 deep',
    requests: createSingleRequest('{ blob }'),
    root: () => `{"data":{"blob":${'['.repeat(10e6)}${']'.repeat(10e6)}}}`,
  },
  {
    name: 'response of 20 MB that no selection reads',
    requests: createSingleRequest('{ items { id } }'),
    root: () => `{"data":{"items":[],"rows":${rowList(rowsOf(20)).slice(16, -2)}}}`,
  },
  {
    name: 'response of 20 MB that is not JSON',
    requests: createSingleRequest('{ items { id } }'),
    root: () => `${rowList(rowsOf(20)).slice(0, -2)}x`,
  },
  {
    name: 'response of 20 MB: errors',
    requests: createSingleRequest('{ maybe { id } }'),
    root: () =>
      `{"data":{"maybe":null},"errors":[${repeat(250_000, (i) => `{"message":"error number ${i}","path":["maybe",${i},"name"]}`, ',')}]}`,
  },
  {
    name: '50 aliases of a list of 10,000 rows',
    requests: createSingleRequest(`{ ${repeat(50, (i) => `r${i}: rows { ${rowFields} }`)} }`),
    root: () => {
      const rows = rowList(10_000).slice(16, -2);
      return `{"data":{${repeat(50, (i) => `"r${i}":${rows}`, ',')}}}`;
    },
  },
  ...[10_000, 100_000, 400_000].map(
    (count): StallCase => ({
      name: `${count} entities`,
      requests: createSingleRequest('{ items { id name price label } }'),
      root: () => itemList(count),
      entity: (id) => ({ price: 5, label: `label of ${id}` }),
    }),
  ),
  {
    name: '400,000 paths of one entity',
    requests: createSingleRequest('{ items { id name price label } }'),
    root: () =>
      `{"data":{"items":[${repeat(400_000, () => '{"__typename":"Item","id":"1","name":"a"}', ',')}]}}`,
  },
  {
    name: '100,000 entities with an error each',
    requests: createSingleRequest('{ maybe { id label } }'),
    root: () => itemList(100_000).replace('items', 'maybe'),
    entity: (id) => ({ error: `there is nothing about ${id}` }),
  },
  {
    name: '100,000 entities, null for a non-null field',
    requests: createSingleRequest('{ maybe { id price } }'),
    root: () => itemList(100_000).replace('items', 'maybe'),
    entity: () => ({ price: null }),
  },
  {
    name: '100,000 entities that all fail together',
    requests: createSingleRequest('{ maybe { id price } }'),
    root: () => itemList(100_000).replace('items', 'maybe'),
    entity: () => ({ error: '' }),
  },
  {
    name: '20,000 entities with lists of 10 entities of the next hop',
    requests: createSingleRequest('{ items { id near { id name f0 label } } }'),
    root: () => itemList(20_000),
    entity: (id) => ({
      label: 'a',
      name: 'b',
      f0: 1,
      near: id.includes('-')
        ? []
        : Array.from({ length: 10 }, (_, k) => ({ __typename: 'Item', id: `${id}-${k}` })),
    }),
  },
  ...[defer, incremental].map(
    (accept): StallCase => ({
      name: `100,000 entities with a deferred field, ${accept.slice(16, 21)}`,
      requests: createSingleRequest('{ items { id ... @defer { price label } } }', undefined, accept),
      root: () => itemList(100_000),
      entity: (id) => ({ price: 5, label: `label of ${id}` }),
    }),
  ),
  ...[defer, incremental].map(
    (accept): StallCase => ({
      name: `50 deferred fragments for each of 5,000 entities, ${accept.slice(16, 21)}`,
      requests: createSingleRequest(
        `{ items { id ${repeat(50, (i) => `... @defer(label: "l${i}") { f${i % 40} ${i > 39 ? 'name' : ''} }`)} } }`,
        undefined,
        accept,
      ),
      root: () => itemList(5_000, () => `,${repeat(40, (k) => `"f${k}":${k}`, ',')}`),
      entity: () => Object.fromEntries(Array.from({ length: 40 }, (_, k) => [`f${k}`, k])),
    }),
  ),
  {
    name: '5,000 deferred paths with an error each',
    requests: createSingleRequest('{ maybe { id ... @defer { label } } }', undefined, defer),
    root: () => itemList(5_000).replace('items', 'maybe'),
    entity: (id) => ({ error: `there is nothing about ${id}` }),
  },
  {
    name: '5,000 deferred paths, null for a non-null field',
    requests: createSingleRequest('{ maybe { id ... @defer { price } } }', undefined, incremental),
    root: () => itemList(5_000).replace('items', 'maybe'),
    entity: () => ({ price: null }),
  },
];

function nest(depth: number): unknown {
  let value: unknown = { a: 1 };
  for (let i = 0; i < depth; i++) value = { in: value };
  return value;
}
