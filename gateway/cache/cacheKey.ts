import { hash } from 'node:crypto';

/** Everything about a fetch that may change what a subgraph answers. Who adds a part adds it here, and the compiler
 *  asks for the place that writes it into keys. */
export interface CacheKeyParts {
  readonly subgraph: string;
  /** The operation's text, and what is done to its answer: equal for equal fetch shapes of all supergraphs and
   *  processes. */
  readonly shape: string;
  /** JSON text of the variables that are sent, those from a context included, without the representations. One text
   *  for equal values: in the order of the shape, not that of the client. */
  readonly variables: string;
  /** `fingerprintShape`: what the supergraph says about that shape. */
  readonly schema: string;
  /** Headers that travel to the subgraph, without those that change no public value: name, value, name, value … in
   *  the order of their names. */
  readonly headers: readonly string[];
  /** Whose a private value is; `undefined` for a public one. */
  readonly identity: string | undefined;
}

/** What a key is about within a fetch. */
export type CacheKeyTarget =
  /** JSON text of a representation, canonical. */
  | { readonly kind: 'entity'; readonly representation: string }
  /** Text of the field with its arguments and all below it; `*` for the whole answer. */
  | { readonly kind: 'root'; readonly field: string };

/** Changes when the values under the keys, or what they mean, change: older ones are not found any more. */
const cacheFormatVersion = 1;

/** A part that is forgotten here does not compile. */
type SerializedKeyParts = {
  readonly [Part in keyof CacheKeyParts]-?: Exclude<CacheKeyParts[Part], undefined> | null;
};

/** Makes the keys of one fetch. The parts are hashed once, each target by itself. A key is text of letters, digits,
 *  `-`, `_` and `:`. */
export function createCacheKeyBuilder(parts: CacheKeyParts): (target: CacheKeyTarget) => string {
  const written: SerializedKeyParts = {
    subgraph: parts.subgraph,
    shape: parts.shape,
    variables: parts.variables,
    schema: parts.schema,
    headers: parts.headers,
    // Nobody's, which is not the same as somebody's without a name.
    identity: parts.identity ?? null,
  };
  const prefix = digest(written);
  return (target) =>
    `${cacheFormatVersion}:${digest([prefix, target.kind, target.kind === 'entity' ? target.representation : target.field])}`;
}

/** Different values have different texts, whatever is in them: JSON quotes and escapes them, lone surrogates
 *  included, which would all be one character to the hash. */
function digest(value: SerializedKeyParts | readonly string[]): string {
  return hash('sha256', JSON.stringify(value), 'base64url');
}
