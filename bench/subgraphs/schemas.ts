import { readFileSync } from 'node:fs';
import { buildSubgraphSchema } from '@apollo/subgraph';
import type { GraphQLSchema } from 'graphql';
import { parse } from 'graphql';
import type { Item, Product, Review } from './graph.ts';
import {
  catalog,
  itemById,
  productByUpc,
  products,
  reviewById,
  reviewsBy,
  reviewsOf,
  shippingEstimate,
  stockOf,
  userById,
  users,
} from './graph.ts';

export const subgraphNames = ['accounts', 'inventory', 'products', 'reviews'] as const;
export type SubgraphName = (typeof subgraphNames)[number];

type ResolverMap = NonNullable<
  Extract<Parameters<typeof buildSubgraphSchema>[0], { typeDefs: unknown }>['resolvers']
>;

const resolvers: Record<SubgraphName, ResolverMap> = {
  accounts: {
    Query: { users: () => users },
    User: { __resolveReference: ({ id }: { id: string }) => userById.get(id) },
  },
  products: {
    Query: {
      topProducts: (_: unknown, { first }: { first: number }) => products.slice(0, first),
      catalog: (_: unknown, { first }: { first: number }) => catalog(first),
    },
    Item: { __resolveReference: ({ id }: Item) => itemById(id) },
    Product: { __resolveReference: ({ upc }: { upc: string }) => productByUpc.get(upc) },
  },
  inventory: {
    Item: { stock: (item: Item) => stockOf(item) },
    Product: {
      // Returns the representation, because it has the fields that `@requires` selects.
      __resolveReference: (representation: Product) => representation,
      inStock: ({ upc }: Product) => productByUpc.get(upc)?.inStock,
      shippingEstimate: (representation: Product) => shippingEstimate(representation),
    },
  },
  reviews: {
    Review: {
      __resolveReference: ({ id }: { id: string }) => reviewById.get(id),
      author: ({ authorId }: Review) => userById.get(authorId),
      product: ({ upc }: Review) => ({ upc }),
    },
    User: {
      __resolveReference: ({ id }: { id: string }) => userById.get(id),
      reviews: ({ id }: { id: string }) => reviewsBy(id),
    },
    Product: {
      __resolveReference: ({ upc }: { upc: string }) => ({ upc }),
      reviews: ({ upc }: { upc: string }) => reviewsOf(upc),
    },
  },
};

export function subgraphSdl(name: SubgraphName): string {
  return readFileSync(new URL(`./schemas/${name}.graphql`, import.meta.url), 'utf8');
}

export function subgraphSchema(name: SubgraphName): GraphQLSchema {
  return buildSubgraphSchema({ typeDefs: parse(subgraphSdl(name)), resolvers: resolvers[name] });
}
