/** A graph with fields of each kind that an error or a wrong value can be at: nullable, non-null, in lists, abstract. */
export const subgraphs = [
  {
    name: 'products',
    sdl: `
      type Query {
        product: Product
        strict: Product!
        products: [Product]
        allOrNone: [Product!]
        grid: [[Product!]]
        plain: Plain
        plainList: [Plain!]!
        hit: Hit
        strictHits: [Hit!]
        named: Named
        kind: Kind
      }
      interface Named { name: String }
      type Mutation { nullable(n: Int): Int strictly(n: Int): Int! }
      type Product implements Named @key(fields: "id") { id: ID! name: String maker: Maker }
      type Maker @key(fields: "id") { id: ID! }
      type Plain { int: Int float: Float text: String flag: Boolean id: ID kind: Kind plain: Plain strictInt: Int! strictKind: Kind! }
      enum Kind { ONE TWO HIDDEN @inaccessible }
      union Hit = Plain | Product | Secret
      type Secret @inaccessible { code: Int }
    `,
    resolvers: {
      Query: {
        product: () => ({ id: '1', name: 'Pan', maker: { id: 'm' } }),
        strict: () => ({ id: '1', name: 'Pan' }),
        products: () => ['1', '2', '1'].map((id) => ({ id, name: `n${id}` })),
        allOrNone: () => ['1', '2'].map((id) => ({ id })),
        grid: () => [[{ id: '1' }], [{ id: '2' }, { id: '1' }]],
        plain: () => ({ int: 1 }),
      },
      Mutation: {
        nullable: (_: never, { n }: never) => {
          if (n === 2) throw new Error('second fails');
          return n;
        },
        strictly: () => {
          throw new Error('fails');
        },
      },
    },
  },
  {
    name: 'stock',
    sdl: `
      type Query { weather: String! }
      type Mutation { count(n: Int): Int }
      union Near = Product | Maker
      type Product @key(fields: "id") { id: ID! near: Near stock: Int sure: Int! shelf: Shelf parts: [Part] partsSure: [Part!] }
      type Maker @key(fields: "id") { id: ID! rank: Int! }
      type Shelf { row: Int! }
      type Part { code: Int! }
    `,
    resolvers: {
      Product: {
        stock: ({ id }: never) => {
          if (id === '1') {
            const error = new Error('database at 10.0.0.1 is down');
            throw Object.assign(error, { extensions: { http: { status: 302 } } });
          }
          return 5;
        },
        sure: ({ id }: never) => {
          if (id === '1') throw new Error('unsure');
          return 7;
        },
        shelf: () => ({ row: null }),
        parts: () => [{ code: 1 }, { code: null }],
        partsSure: () => [{ code: 1 }, { code: null }],
      },
      Maker: { rank: () => null },
      Mutation: { count: (_: never, { n }: never) => n },
    },
  },
  {
    name: 'shipping',
    sdl: 'type Product @key(fields: "id") { id: ID! stock: Int @external fee: Int! @requires(fields: "stock") }',
    resolvers: { Product: { fee: () => 3 } },
  },
];
