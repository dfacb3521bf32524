/** An object as all resolvers see it: an entity with everything that identifies it, or a value. Where its type
 *  cannot be told from the field that it stands in, it has a `__typename`. A function in place of a value is
 *  called with the field's arguments. */
export interface GraphObject {
  readonly __typename?: string;
  readonly [field: string]: unknown;
}

/** What a resolver has besides the object and the arguments. */
export interface ResolverCall {
  /** What the field's `@requires` selects, by field names; empty without one. */
  // biome-ignore lint/suspicious/noExplicitAny: graphs read their own data
  readonly required: Readonly<Record<string, any>>;
  /** What `createState` made for this operation. */
  // biome-ignore lint/suspicious/noExplicitAny: graphs read their own data
  readonly state: any;
}

/** Answers a field, in the monolith and in every subgraph that has it. */
// biome-ignore lint/suspicious/noExplicitAny: graphs read their own data
type Resolve = (self: any, args: any, call: ResolverCall) => unknown;

export interface GraphSubgraph {
  readonly name: string;
  readonly sdl: string;
  /** Stands before the SDL instead of a link to a recent federation with every directive; empty for
   *  Federation 1. */
  readonly link?: string;
}

/** A supergraph of our own: subgraphs, and one set of data and resolvers for all of them. Fields that neither
 *  `resolvers` nor the object itself answers get a value that tells object, field, arguments and requirements,
 *  so that data at a wrong place are noticed. */
export interface Graph {
  readonly name: string;
  readonly subgraphs: readonly GraphSubgraph[];
  /** Entities that a reference can find, by type. */
  readonly entities: Readonly<Record<string, readonly GraphObject[]>>;
  /** By `Type.field`; that of an interface is used for its implementations as well. */
  readonly resolvers?: Readonly<Record<string, Resolve>>;
  /** Whether a subgraph answers null to a reference to this entity. */
  readonly isUnknown?: (thing: GraphObject, subgraph: string) => boolean;
  /** Values for generated arguments, see `argumentValues.ts`. */
  readonly argumentValues?: Readonly<Record<string, readonly unknown[]>>;
  /** Words that the type system which clients see must not have: what is inaccessible, or not in all subgraphs. */
  readonly hiddenWords?: readonly string[];
  /** For graphs with mutations: fresh for every operation, and shared by its root fields. */
  readonly createState?: () => unknown;
}
