/** An object as all resolvers see it: an entity with all its keys, or a value. It has a `__typename` if its field
 *  does not determine its type. A function instead of a value is called with the field's arguments. */
export interface GraphObject {
  readonly __typename?: string;
  readonly [field: string]: unknown;
}

/** The parameters of a resolver besides the object and the arguments. */
export interface ResolverCall {
  /** The selection of the field's `@requires`, by field names; empty without one. */
  // biome-ignore lint/suspicious/noExplicitAny: graphs read their own data
  readonly required: Readonly<Record<string, any>>;
  /** The result of `createState` for this operation. */
  // biome-ignore lint/suspicious/noExplicitAny: graphs read their own data
  readonly state: any;
}

/** Resolves a field, in the monolith and in every subgraph that has the field. */
// biome-ignore lint/suspicious/noExplicitAny: graphs read their own data
type Resolve = (self: any, args: any, call: ResolverCall) => unknown;

export interface GraphSubgraph {
  readonly name: string;
  readonly sdl: string;
  /** Replaces the link to a recent Federation version with all directives at the start of the SDL; empty for
   *  Federation 1. */
  readonly link?: string;
}

/** A supergraph of the tests: subgraphs, and one set of data and resolvers for all of them. Fields that neither
 *  `resolvers` nor the object resolve have a value that contains object, field, arguments and requirements, so that
 *  data at a wrong path is noticed. */
export interface Graph {
  readonly name: string;
  readonly subgraphs: readonly GraphSubgraph[];
  /** Entities that a reference can resolve to, by type. */
  readonly entities: Readonly<Record<string, readonly GraphObject[]>>;
  /** Resolvers by `Type.field`. Those of an interface are used for its implementations too. */
  readonly resolvers?: Readonly<Record<string, Resolve>>;
  /** Whether a subgraph returns null for a reference to this entity. */
  readonly isUnknown?: (thing: GraphObject, subgraph: string) => boolean;
  /** Values for generated arguments. See `argumentValues.ts`. */
  readonly argumentValues?: Readonly<Record<string, readonly unknown[]>>;
  /** Words that must not be in the API schema: inaccessible elements, and those that some subgraphs lack. */
  readonly hiddenWords?: readonly string[];
  /** For graphs with mutations: a new state for each operation, which its root fields share. */
  readonly createState?: () => unknown;
}
