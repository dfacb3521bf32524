import { readFileSync } from 'node:fs';
import { buildSubgraphSchema } from '@apollo/subgraph';
import { type DocumentNode, type GraphQLScalarType, type GraphQLSchema, parse } from 'graphql';

/** The context of a subgraph's resolvers. */
export interface SubgraphContext<Store> {
  readonly store: Store;
  /** The account that sends the request; null for anonymous requests. */
  readonly viewerId: string | null;
  /** Aborts when the client disconnects. */
  readonly signal: AbortSignal;
}

/** A resolver. Its parent is a plain object with the entity's key and required fields, whichever subgraph they are
 *  from. `__resolveReference` has the parameters `(reference, context)`. */
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
  /** The time of new records. Default: the system's time. */
  readonly now?: () => Date;
}

export interface SubgraphDefinition<Store> {
  readonly name: string;
  readonly defaultPort: number;
  readonly typeDefs: DocumentNode;
  readonly resolvers: ResolverMap<Store>;
  /** Creates new data, independent of all other stores. */
  readonly createStore: (options?: StoreOptions) => Store;
  /** The default faults, as text for `parseFaults`. */
  readonly demoFaults?: string;
}

export function readTypeDefs(schemaFile: URL): DocumentNode {
  return parse(readFileSync(schemaFile, 'utf8'));
}

/** Builds the executable schema with `_service` and `_entities`. Each call builds a new one. */
export function buildSchemaOf<Store>({ typeDefs, resolvers }: SubgraphDefinition<Store>): GraphQLSchema {
  type Modules = Exclude<Parameters<typeof buildSubgraphSchema>[0], DocumentNode | readonly unknown[]>;
  // The library's resolver types use `any`; ours differ in the types of their parents.
  return buildSubgraphSchema({ typeDefs, resolvers } as unknown as Modules);
}
