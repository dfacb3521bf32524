import { hash } from 'node:crypto';
import type { CacheScope } from '../../execution/cachingContribution.ts';
import { type FetchCall, serializeVariables } from '../../execution/fetchCall.ts';
import type { FetchShape } from '../../execution/fetchShape.ts';
import { entryFormatVersion } from '../store/entryCodec.ts';
import type { CachePlan } from './cachePlans.ts';

/** Everything about a fetch that may change what a subgraph returns. A part that is added here does not compile until
 *  `createCacheKeyBuilder` writes it into keys. */
export interface CacheKeyParts {
  readonly subgraph: string;
  /** The text of the operation. Equal fetch shapes of different supergraphs and processes have equal texts. */
  readonly shape: string;
  /** JSON text of the variables that are sent, without the representations. Equal values have equal texts, because the
   *  shape defines the order. */
  readonly variables: string;
  /** `fingerprintShape`: what the supergraph declares about the selected fields. */
  readonly schema: string;
  /** Forwarded headers, sorted by name, without those that change no public value: name, value, name, value … */
  readonly headers: readonly string[];
  /** Sorted names of the headers that are missing in `headers`, whether or not the request has them: a value that was
   *  stored while a header was ignored may be that of a client with the header. */
  readonly ignoredHeaders: readonly string[];
  /** The client that a private value belongs to; `undefined` for a public value. */
  readonly identity: string | undefined;
}

/** The item within a fetch that a key is for. */
export type CacheKeyTarget =
  /** Canonical JSON text of a representation. */
  | { readonly kind: 'entity'; readonly representation: string }
  /** Text of the field with its arguments and everything below it; `*` for the whole answer. */
  | { readonly kind: 'root'; readonly field: string };

type CacheKeyBuilder = (target: CacheKeyTarget) => string;

type SerializedKeyParts = {
  readonly [Part in keyof CacheKeyParts]-?: Exclude<CacheKeyParts[Part], undefined> | null;
};

/** Creates the function that builds the keys of one fetch. The parts are hashed once, each target separately. A key
 *  consists of letters, digits, `-`, `_` and `:`. */
export function createCacheKeyBuilder(parts: CacheKeyParts): CacheKeyBuilder {
  const serialized: SerializedKeyParts = {
    subgraph: parts.subgraph,
    shape: parts.shape,
    variables: parts.variables,
    schema: parts.schema,
    headers: parts.headers,
    ignoredHeaders: parts.ignoredHeaders,
    // Differs from the identity '' of a client whose name is empty.
    identity: parts.identity ?? null,
  };
  const prefix = digest(serialized);
  return (target) =>
    `${entryFormatVersion}:${digest([prefix, target.kind, target.kind === 'entity' ? target.representation : target.field])}`;
}

/** Different values have different digests: JSON escapes lone surrogates, which the hash would otherwise all read as
 *  one replacement character. */
function digest(value: SerializedKeyParts | readonly string[]): string {
  return hash('sha256', JSON.stringify(value), 'base64url');
}

/** A builder with what it depends on besides its plan and its scope. */
interface UsedKeyBuilder extends Pick<CacheKeyParts, 'variables' | 'headers' | 'identity'> {
  readonly buildKey: CacheKeyBuilder;
}

/** The builder that each plan has used last, by scope: most requests have the same variables, and forward the same headers
 *  or none. */
const latestBuilders: Readonly<Record<CacheScope, WeakMap<CachePlan, UsedKeyBuilder>>> = {
  PUBLIC: new WeakMap(),
  PRIVATE: new WeakMap(),
};

/** The keys that were built recently, by builder and by the text of the target: hashing costs more than all else about
 *  a cached item. Forgets everything when the keys and texts exceed `maxSize` bytes. */
export class KeyMemo {
  readonly #maxSize: number;
  readonly #keys = new Map<CacheKeyBuilder, Map<string, string>>();
  /** Approximate bytes. */
  #size = 0;

  constructor(maxSize: number) {
    this.#maxSize = maxSize;
  }

  /** A builder has targets of one kind. */
  keyOf(buildKey: CacheKeyBuilder, target: CacheKeyTarget): string {
    const text = target.kind === 'entity' ? target.representation : target.field;
    if (text.length > maxRememberedText) return buildKey(target);
    const known = this.#keys.get(buildKey)?.get(text);
    if (known !== undefined) return known;
    const key = buildKey(target);
    this.#size += rememberedKeySize + 2 * text.length;
    if (this.#size > this.#maxSize) {
      this.#keys.clear();
      this.#size = 0;
    }
    const keys = this.#keys.get(buildKey);
    if (keys === undefined) this.#keys.set(buildKey, new Map([[text, key]]));
    else keys.set(text, key);
    return key;
  }
}

/** In characters. V8 copies a text to the old generation when a map looks for it: long ones cost more than a hash. */
const maxRememberedText = 500;

/** Bytes of a key with its map slot, and its share of a map. */
const rememberedKeySize = 400;

const keyMemo = new KeyMemo(8 * 1024 ** 2);

/** Builds the keys of one fetch call, with one prepared builder for each scope. */
export class FetchKeys {
  readonly #call: Pick<FetchCall, 'requestContext' | 'contextVariables'>;
  readonly #shape: FetchShape;
  readonly #plan: CachePlan;
  readonly #ignoredHeaders: ReadonlySet<string>;
  #public: CacheKeyBuilder | undefined;
  #private: CacheKeyBuilder | undefined;

  /** `shape`: that of the call, or of the part of the call that `plan` is for. */
  constructor(
    call: Pick<FetchCall, 'requestContext' | 'contextVariables'>,
    shape: FetchShape,
    plan: CachePlan,
    ignoredHeaders: ReadonlySet<string>,
  ) {
    this.#call = call;
    this.#shape = shape;
    this.#plan = plan;
    this.#ignoredHeaders = ignoredHeaders;
  }

  /** The key of a value of this scope. `PRIVATE` needs a request with an identity. */
  keyFor(scope: CacheScope, target: CacheKeyTarget): string {
    if (scope === 'PRIVATE') {
      this.#private ??= this.#builderFor(scope);
      return keyMemo.keyOf(this.#private, target);
    }
    this.#public ??= this.#builderFor(scope);
    return keyMemo.keyOf(this.#public, target);
  }

  #builderFor(scope: CacheScope): CacheKeyBuilder {
    const shape = this.#shape;
    const { requestContext, contextVariables } = this.#call;
    const variables = serializeVariables({ shape, requestContext, contextVariables }, (name) => name);
    const headers = selectKeyHeaders(
      requestContext.headersFor(shape.subgraph).pairs,
      scope,
      this.#ignoredHeaders,
    );
    const identity = scope === 'PRIVATE' ? requestContext.identity : undefined;
    const latest = latestBuilders[scope].get(this.#plan);
    if (
      latest !== undefined &&
      latest.variables === variables &&
      latest.identity === identity &&
      areEqual(latest.headers, headers)
    )
      return latest.buildKey;
    const { operationText, fingerprint } = this.#plan;
    const { subgraph } = shape;
    const buildKey = createCacheKeyBuilder({
      subgraph,
      shape: operationText,
      variables,
      schema: fingerprint,
      headers,
      ignoredHeaders: scope === 'PUBLIC' ? [...this.#ignoredHeaders].sort() : [],
      identity,
    });
    latestBuilders[scope].set(this.#plan, { variables, headers, identity, buildKey });
    return buildKey;
  }
}

function areEqual(a: readonly string[], b: readonly string[]): boolean {
  return a === b || (a.length === b.length && a.every((text, index) => text === b[index]));
}

/** The forwarded headers that are part of the keys of a scope. Keys of private values contain all of them.
 *  `pairs`: name, value, name, value …, names in lower case. */
export function selectKeyHeaders(
  pairs: readonly string[],
  scope: CacheScope,
  ignored: ReadonlySet<string>,
): readonly string[] {
  if (scope === 'PRIVATE' || ignored.size === 0) return pairs;
  return pairs.filter((_, index) => !ignored.has(pairs[index - (index % 2)] ?? ''));
}
