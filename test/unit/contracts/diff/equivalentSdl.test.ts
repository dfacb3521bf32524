import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { canonicalizeSdl } from '../../../../contracts/diff/canonicalizeSdl.ts';
import { diffSubgraph } from '../../../../contracts/diff/diffSubgraph.ts';
import { rearrangeSdl } from './rearrangeSdl.ts';
import { contractOf, withOwnDirectives } from './subgraphSdl.ts';

const sdl = withOwnDirectives(`
  type Query { "Described." ping(first: Int = 10, filter: [Filter!] = [{ b: 1, a: "x" }]): Found t: T }
  type Mutation { change(input: Filter!, mode: Mode = FAST): T @authenticated }
  union Found = T | Value | Other
  type T implements Named & Node @key(fields: "id") @key(fields: "sku name", resolvable: false) @own(a: 1) @own(a: 2) {
    id: ID! @tag(name: "a") @tag(name: "b")
    sku: ID!
    name: String! @deprecated(reason: "old")
    price: Value @external
    "Described." shipping(country: String!): Int @requires(fields: "price { amount currency }")
    taken: Int @override(from: "others", label: "percent(5)")
    related(first: Int): [T!] @listSize(slicingArguments: ["first"], assumedSize: 5) @provides(fields: "price { amount }")
    secret: Int @requiresScopes(scopes: [["a", "b"], ["c"]]) @policy(policies: [["p"]]) @cost(weight: 3)
    stock: Int @cached(maxAge: "5s", scope: PRIVATE, tags: ["a", "b"]) @enrichment(budget: "50ms", priority: CRITICAL)
  }
  type Value @shareable { amount: Int @external currency: String @external plain: Int }
  type Other @context(name: "c") @key(fields: "id") { id: ID! plain: Int below: Below }
  type Below @key(fields: "id") { id: ID! f(x: Int @fromContext(field: "$c { plain }"), y: Int): Int @inaccessible }
  interface Named { name: String! } interface Node { id: ID! }
  input Filter { a: String = "x" b: Int @deprecated c: [Int!] = [1, 2] }
  enum Mode { FAST SLOW @inaccessible }
  scalar Money @specifiedBy(url: "https://example.com/money")
  directive @own(b: Int = 1, a: Int) repeatable on OBJECT
  directive @operation(a: Int, b: Int) on QUERY | FIELD`);

const rearranged = fc.gen().map((draw) => rearrangeSdl(sdl, (count) => draw(fc.nat, { max: count - 1 })));

describe('an SDL with another order, other descriptions and white space', () => {
  it('has no changes', async () => {
    await fc.assert(
      fc.asyncProperty(rearranged, async (other) => {
        expect(await diffSubgraph(contractOf(sdl), contractOf(other))).toEqual([]);
      }),
      { numRuns: 60 },
    );
  });

  it('has the same canonical text', () => {
    const text = canonicalizeSdl(sdl);
    fc.assert(
      fc.property(rearranged, (other) => {
        expect(canonicalizeSdl(other)).toBe(text);
      }),
      { numRuns: 200 },
    );
  });

  it('is a different text', () => {
    const [first, ...others] = fc.sample(rearranged, 10);
    expect(others.some((other) => other !== first)).toBe(true);
  });
});
