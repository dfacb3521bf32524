import { readFileSync } from 'node:fs';
import { buildSubgraphSchema } from '@apollo/subgraph';
import { describe, expect, it } from '@jest/globals';
import { graphql, parse } from 'graphql';
import { canonicalizeSdl } from '../../../../contracts/diff/canonicalizeSdl.ts';
import { federation2, withOwnDirectives } from './subgraphSdl.ts';

async function served(sdl: string): Promise<string> {
  const answer = await graphql({
    schema: buildSubgraphSchema(parse(sdl)),
    source: '{ _service { sdl } }',
  });
  return (answer.data as { _service: { sdl: string } })._service.sdl;
}

describe('a canonical SDL', () => {
  it('is readable', () => {
    const sdl = withOwnDirectives(`
      type Query { "Described." b(y: Int = 1, x: [ID!] = ["a"]): U a: T }
      union U = T | B
      type B { x: Int @deprecated }
      type T implements J & I @key(fields: "sku") @key(fields: "sku id", resolvable: true) @key(fields: "sku") {
        sku: ID!
        id: ID! @tag(name: "b") @tag(name: "a")
        c: Int @cached(maxAge: "1m", scope: PRIVATE)
      }
      interface I { sku: ID! } interface J { id: ID! }
      enum E { B A @inaccessible }
      input In { o: Other = { b: 1, a: """x""" } } input Other { a: String b: Int }
      scalar S
      directive @own(b: Int, a: Int) repeatable on QUERY | FIELD`);
    expect(canonicalizeSdl(sdl)).toMatchInlineSnapshot(`
      "extend schema @composeDirective(name: "@tributary__cached")
      extend schema @composeDirective(name: "@tributary__enrichment")
      extend schema @link(url: "https://specs.apollo.dev/federation/v2.9")
      extend schema @link(url: "https://tributary.dev/spec/v1.0")

      directive @own(a: Int, b: Int) repeatable on FIELD | QUERY

      enum E {
        A @federation__inaccessible
        B
      }

      input In {
        o: Other = {a: "x", b: 1}
      }

      input Other {
        a: String
        b: Int
      }

      interface I {
        sku: ID!
      }

      interface J {
        id: ID!
      }

      scalar S

      type B {
        x: Int @deprecated(reason: "No longer supported")
      }

      type Query {
        a: T
        b(x: [ID!] = ["a"], y: Int = 1): U
      }

      type T implements I & J @federation__key(fields: "id sku") @federation__key(fields: "sku") {
        c: Int @tributary__cached(maxAge: "1m", scope: PRIVATE)
        id: ID! @federation__tag(name: "a") @federation__tag(name: "b")
        sku: ID!
      }

      union U = B | T
      "
    `);
  });

  it.each(['accounts', 'inventory', 'products', 'recommendations', 'reviews'])(
    'of the contract is that of what the subgraph %s serves',
    async (name) => {
      const sdl = readFileSync(`subgraphs/${name}/schema.graphql`, 'utf8');
      expect(canonicalizeSdl(await served(sdl))).toBe(canonicalizeSdl(sdl));
    },
  );

  it('omits what federation adds to a Federation 1 schema and to a schema without queries', async () => {
    const sdl = 'extend type T @key(fields: "id") { id: ID! @external a: Int }';
    expect(canonicalizeSdl(await served(sdl))).toBe(canonicalizeSdl(sdl));
  });

  it('differs for schemas with different meanings', () => {
    const sdl = (fields: string): string => federation2(`type T @key(fields: "${fields}") { id: ID! a: A }`);
    expect(canonicalizeSdl(sdl('id a { x }'))).not.toBe(canonicalizeSdl(sdl('id a { y }')));
    expect(canonicalizeSdl(sdl('id'))).not.toBe(canonicalizeSdl(sdl('id').replace('v2.9', 'v2.3')));
  });

  it('throws with the location of a syntax error', () => {
    expect(() => canonicalizeSdl('type T {')).toThrow('Syntax Error: Expected Name, found <EOF>.');
  });
});
