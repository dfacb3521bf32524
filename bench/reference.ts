import { readFileSync } from 'node:fs';
import type { GraphQLSchema } from 'graphql';
import { buildSchema, GraphQLObjectType, graphqlSync } from 'graphql';
import type { Item, Product, Review, User } from './subgraphs/graph.ts';
import {
  catalog,
  productByUpc,
  products,
  reviewsBy,
  reviewsOf,
  shippingEstimate,
  stockOf,
  userById,
  users,
} from './subgraphs/graph.ts';

/** The same graph as one schema without federation. Every target must return the same data. */
const schema = referenceSchema();

/** The `data` of an operation without `@defer`. @throws {AggregateError} if the operation has errors. */
export function referenceAnswer(source: string, variables: Readonly<Record<string, unknown>> = {}): unknown {
  const { data, errors } = graphqlSync({ schema, source, variableValues: variables });
  if (errors) throw new AggregateError(errors, 'The reference cannot answer the operation');
  // graphql-js creates objects without a prototype; the strict comparison needs plain objects.
  return JSON.parse(JSON.stringify(data));
}

function referenceSchema(): GraphQLSchema {
  const built = buildSchema(readFileSync(new URL('./reference.graphql', import.meta.url), 'utf8'));
  resolve(built, 'Query', 'users', () => users);
  resolve(built, 'Query', 'topProducts', (_: unknown, { first }) => products.slice(0, Number(first)));
  resolve(built, 'Query', 'catalog', (_: unknown, { first }) => catalog(Number(first)));
  resolve(built, 'Item', 'stock', (item: Item) => stockOf(item));
  resolve(built, 'User', 'reviews', ({ id }: User) => reviewsBy(id));
  resolve(built, 'Review', 'author', ({ authorId }: Review) => userById.get(authorId));
  resolve(built, 'Review', 'product', ({ upc }: Review) => productByUpc.get(upc));
  resolve(built, 'Product', 'reviews', ({ upc }: Product) => reviewsOf(upc));
  resolve(built, 'Product', 'shippingEstimate', (product: Product) => shippingEstimate(product));
  return built;
}

function resolve<Parent>(
  built: GraphQLSchema,
  typeName: string,
  fieldName: string,
  resolver: (parent: Parent, args: Record<string, unknown>) => unknown,
): void {
  const type = built.getType(typeName);
  const field = type instanceof GraphQLObjectType ? type.getFields()[fieldName] : undefined;
  if (!field) throw new Error(`The reference schema has no ${typeName}.${fieldName}`);
  field.resolve = (parent: unknown, args: Record<string, unknown>) => resolver(parent as Parent, args);
}
