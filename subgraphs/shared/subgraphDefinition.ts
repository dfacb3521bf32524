import { readFileSync } from 'node:fs';
import { buildSubgraphSchema } from '@apollo/subgraph';
import { type DocumentNode, type GraphQLScalarType, type GraphQLSchema, parse } from 'graphql';

/** What a resolver of a subgraph sees besides its parent and its arguments. */
export interface SubgraphContext<Store> {
  readonly store: Store;
  /** The account that the request speaks for; null for anonymous requests. */
  readonly viewerId: string | null;
  /** Aborts when the client has left. */
  readonly signal: AbortSignal;
}

/** A resolver whose parent and arguments are its own business: it works on a plain parent that holds the
 *  entity's key and required fields, whoever fetched them. `__resolveReference` takes `(reference, context)`. */
export type FieldResolver<Store> = (parent: never, args: never, context: SubgraphContext<Store>) => unknown;

export interface SubscriptionResolver<Store> {
  readonly subscribe: (parent: never, args: never, context: SubgraphContext<Store>) => AsyncIterable<unknown>;
  readonly resolve: FieldResolver<Store>;
}

export type TypeResolvers<Store> = Readonly<
  Record<string, FieldResolver<Store> | SubscriptionResolver<Store>>
>;

export type ResolverMap<Store> = Readonly<Record<string, TypeResolvers<Store> | GraphQLScalarType>>;

export interface StoreOptions {
  /** The time that new records get; the system's when left out. */
  readonly now?: () => Date;
}

export interface SubgraphDefinition<Store> {
  readonly name: string;
  readonly defaultPort: number;
  readonly typeDefs: DocumentNode;
  readonly resolvers: ResolverMap<Store>;
  /** Fresh data, independent of any other store. */
  readonly createStore: (options?: StoreOptions) => Store;
  /** Faults in force when nobody asks for others, as the text that `parseFaults` reads. */
  readonly demoFaults?: string;
}

export function readTypeDefs(schemaFile: URL): DocumentNode {
  return parse(readFileSync(schemaFile, 'utf8'));
}

/** The executable schema, with `_service` and `_entities`. Each call builds a new one. */
export function buildSchemaOf<Store>({ typeDefs, resolvers }: SubgraphDefinition<Store>): GraphQLSchema {
  type Modules = Exclude<Parameters<typeof buildSubgraphSchema>[0], DocumentNode | readonly unknown[]>;
  // The library types resolvers over `any`; ours differ in what they know of their parents.
  return buildSubgraphSchema({ typeDefs, resolvers } as unknown as Modules);
}
