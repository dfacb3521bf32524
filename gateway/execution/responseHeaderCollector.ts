import type { GatewayConfig } from '../config/schema.ts';
import type { HeaderMerge } from '../config/sections/headerRules.ts';
import { type SubgraphPolicy, subgraphPolicyOf } from '../config/subgraphPolicyOf.ts';
import { type CachingHeaders, readCacheControl } from '../subgraphs/cacheControl.ts';
import { createHeaderRules } from '../subgraphs/headerRules.ts';
import { memoizePolicies } from '../subgraphs/subgraphEndpoints.ts';
import type { CachedContribution } from './cachingContribution.ts';

/** Headers of a response to a client: a list for a header with several lines. */
export type ResponseHeaderMap = Map<string, string | string[]>;

/** What a subgraph's `headers.respond` says. */
interface RespondPolicy {
  readonly merges: ReadonlyMap<string, HeaderMerge>;
  /** Whether `set-cookie` is sent to clients. A cookie belongs to one client: no other client may share the response. */
  readonly isExclusive: boolean;
  readonly sendsCacheControl: boolean;
  /** Names of the client's headers that a response depends on. */
  readonly clientHeaders: readonly string[];
}

/** The `headers.respond` of all subgraphs, compiled. */
export class RespondPolicies {
  readonly #policyOf: (subgraph: string) => SubgraphPolicy;
  readonly #rulesOf: ReturnType<typeof createHeaderRules>;
  readonly #policies = new Map<string, RespondPolicy>();

  /** Whether `set-cookie` of any subgraph is sent to clients. */
  readonly sendsCookies: boolean;

  private constructor(config: GatewayConfig, names: ReadonlySet<string>) {
    this.sendsCookies = names.has('set-cookie');
    this.#policyOf = memoizePolicies(config);
    this.#rulesOf = createHeaderRules(config);
  }

  /** `undefined` if no header of any subgraph is sent to clients. */
  static of(config: GatewayConfig): RespondPolicies | undefined {
    const policies = Object.keys(config.subgraphs).map((section) => subgraphPolicyOf(config, section));
    const names = new Set(policies.flatMap(({ headers }) => headers.respond.map(({ name }) => name)));
    return names.size > 0 ? new RespondPolicies(config, names) : undefined;
  }

  of(subgraph: string): RespondPolicy {
    let policy = this.#policies.get(subgraph);
    if (policy === undefined) {
      const { respond } = this.#policyOf(subgraph).headers;
      const merges = new Map(respond.map(({ name, merge }) => [name, merge]));
      policy = {
        merges,
        isExclusive: merges.has('set-cookie'),
        sendsCacheControl: merges.has('cache-control'),
        clientHeaders: this.#rulesOf(subgraph).sourceHeaders(new Set()),
      };
      this.#policies.set(subgraph, policy);
    }
    return policy;
  }
}

/** A header that makes those of a response larger is dropped: clients and proxies refuse responses with more than about this
 *  many bytes of headers. */
const maxBytes = 16_384;

let lastNumber = 0;

/** Collects headers of subgraph responses for the response to one client. Headers are sent with the first byte of that
 *  response: those that arrive later have no effect. */
export class ResponseHeaderCollector {
  readonly #policies: RespondPolicies;
  readonly #target: ResponseHeaderMap | undefined;
  readonly #partition = `cookies ${++lastNumber}`;

  /** `target`: omitted where the headers of the response were sent before, or there are none. */
  constructor(policies: RespondPolicies, target?: ResponseHeaderMap) {
    this.#policies = policies;
    this.#target = target;
  }

  /** `pairs`: name, value, name, value … */
  collect(subgraph: string, pairs: readonly string[]): void {
    if (this.#target === undefined) return;
    const { merges } = this.#policies.of(subgraph);
    for (let i = 0; i + 1 < pairs.length; i += 2) {
      const [name, value] = [pairs[i] as string, pairs[i + 1] as string];
      const merge = merges.get(name);
      if (merge !== undefined) addHeader(this.#target, name, value, merge);
    }
  }

  /** What keeps the calls of this request to a subgraph apart from those of others; empty if they may be shared. */
  partitionOf(subgraph: string): string {
    return this.#policies.of(subgraph).isExclusive ? `${this.#partition}/` : '';
  }

  /** How long a response without a cache rule may be cached by the client, if the subgraph's `cache-control` is sent on. */
  cachingOf(
    subgraph: string,
    headers: CachingHeaders & { readonly hasCookies: boolean | undefined },
  ): CachedContribution | undefined {
    const { sendsCacheControl, clientHeaders } = this.#policies.of(subgraph);
    if (!sendsCacheControl) return undefined;
    const allowed = readCacheControl(headers);
    if (allowed.kind !== 'allowed' || allowed.maxAgeMs === undefined) return undefined;
    const { maxAgeMs, ageMs, isPrivate } = allowed;
    return {
      kind: 'cached',
      // A shared cache would hand the cookie to other clients.
      scope: isPrivate || headers.hasCookies === true ? 'PRIVATE' : 'PUBLIC',
      ageMs,
      freshForMs: maxAgeMs - ageMs,
      headers: clientHeaders,
    };
  }
}

function addHeader(target: ResponseHeaderMap, name: string, value: string, merge: HeaderMerge): void {
  const known = target.get(name);
  const merged = mergeHeader(name, known, value, merge);
  if (merged === known) return;
  const size = sizeOf(target) - sizeOfHeader(name, known) + sizeOfHeader(name, merged);
  if (size <= maxBytes) target.set(name, merged);
}

type HeaderText = string | string[];

/** Returns `known` if the value changes nothing. */
function mergeHeader(
  name: string,
  known: HeaderText | undefined,
  value: string,
  merge: HeaderMerge,
): HeaderText {
  if (merge === 'first' && known !== undefined) return known;
  if (name === 'set-cookie') {
    const lines = Array.isArray(known) ? known : [];
    return lines.includes(value) ? lines : [...lines, value];
  }
  if (merge !== 'append' || typeof known !== 'string') return value;
  // A value may contain the separator.
  return `, ${known}, `.includes(`, ${value}, `) ? known : `${known}, ${value}`;
}

function sizeOf(headers: ResponseHeaderMap): number {
  return [...headers].reduce((size, [name, value]) => size + sizeOfHeader(name, value), 0);
}

function sizeOfHeader(name: string, value: HeaderText | undefined = []): number {
  return [value].flat().reduce((size, line) => size + name.length + line.length, 0);
}
