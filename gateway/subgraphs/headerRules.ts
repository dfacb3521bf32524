import type { GatewayConfig } from '../config/schema.ts';
import type { SubgraphPolicy } from '../config/subgraphPolicyOf.ts';
import { GatewayError } from '../errors.ts';
import {
  addForwardedHeader,
  type ForwardedHeaders,
  isForwardableHeader,
  noForwardedHeaders,
} from './forwardedHeaders.ts';
import { signingOf } from './requestSignature.ts';
import { memoizePolicies } from './subgraphEndpoints.ts';

type Claims = Readonly<Record<string, unknown>>;

type ConfiguredHeaders = Pick<SubgraphPolicy['headers'], 'forward' | 'rules'>;

type Rule =
  | { readonly kind: 'set'; readonly name: string; readonly value: string }
  | { readonly kind: 'claim'; readonly name: string; readonly claim: string }
  | { readonly kind: 'remove'; readonly name: string }
  | { readonly kind: 'rename'; readonly name: string; readonly to: string }
  | { readonly kind: 'forward'; readonly name: string }
  | { readonly kind: 'match'; readonly pattern: RegExp };

/** Longer names match no expression, which bounds the time of matching. */
const maxMatchedNameLength = 64;

/** What a sent header depends on: names of client headers. `*` stands for what cannot be named, such as a token. */
type Sources = ReadonlySet<string>;

const unnameable: Sources = new Set(['*']);

/** The header rules of one subgraph, compiled.
 *
 *  Rules see the client's headers and what earlier rules made of them. Only headers that a rule or the allow-list names are
 *  sent. A rule decides its header: after `set` and `rename`, the client's header of that name is gone, also where the rule
 *  has no value to send. */
export class HeaderRules {
  readonly #forward: readonly string[];
  readonly #rules: readonly Rule[];
  /** The header of the signature, which the gateway writes; `undefined` for unsigned requests. */
  readonly #signatureHeader: string | undefined;
  readonly #sources: ReadonlyMap<string, Sources>;
  /** Set if no header depends on the request. */
  readonly #constant: ForwardedHeaders | undefined;

  /** Names that may never be sent are ignored. */
  constructor({ forward, rules }: ConfiguredHeaders, signatureHeader?: string) {
    this.#signatureHeader = signatureHeader;
    // In lower case, sorted and without duplicates, so that two spellings of one list give equal keys.
    const names = forward.map((name) => name.toLowerCase());
    this.#forward = [...new Set(names)].filter((name) => this.#maySend(name)).sort();
    this.#rules = rules.map(compileRule).filter((rule) => this.#isEffective(rule));
    this.#sources = this.#findSources();
    const isConstant = [...this.#sources.values()].every((sources) => sources.size === 0);
    this.#constant = isConstant ? this.select(new Map(), undefined) : undefined;
  }

  /** The headers of a request to the subgraph. `clientHeaders` has lower case names.
   *  @throws {GatewayError} `BAD_REQUEST` for a value that no header can have. */
  select(clientHeaders: ReadonlyMap<string, string>, claims: Claims | undefined): ForwardedHeaders {
    if (this.#constant !== undefined) return this.#constant;
    if (this.#rules.length > 0) return this.#applyRules(clientHeaders, claims);
    const headers = { key: '', pairs: [] };
    for (const name of this.#forward) {
      const value = clientHeaders.get(name);
      if (value !== undefined) addForwardedHeader(headers, name, value);
    }
    return headers;
  }

  /** The headers that need no client, for requests that the gateway sends for itself. */
  get constantHeaders(): ForwardedHeaders {
    return this.#constant ?? this.#applyRules(new Map(), undefined);
  }

  /** Whether a header may change what the subgraph gets. */
  reads(clientHeader: string): boolean {
    return (
      this.#forward.includes(clientHeader) ||
      this.#rules.some((rule) =>
        rule.kind === 'match'
          ? matches(rule.pattern, clientHeader) && this.#maySend(clientHeader)
          : (rule.kind === 'forward' || rule.kind === 'rename') && rule.name === clientHeader,
      )
    );
  }

  /** The claims that are sent. */
  get claimNames(): readonly string[] {
    return this.#rules.flatMap((rule) => (rule.kind === 'claim' ? [rule.claim] : []));
  }

  /** The client headers that sent headers depend on, for `Vary`; `*` among them for those that cannot be named. `ignored`:
   *  names of sent headers that do not count. */
  sourceHeaders(ignored: ReadonlySet<string>): readonly string[] {
    const names = [...this.#sources].flatMap(([name, sources]) => (ignored.has(name) ? [] : [...sources]));
    return [...new Set(names)];
  }

  #maySend(name: string): boolean {
    return name !== this.#signatureHeader && isForwardableHeader(name);
  }

  #isEffective(rule: Rule): boolean {
    if (rule.kind === 'match' || rule.kind === 'remove') return true;
    return this.#maySend(rule.kind === 'rename' ? rule.to : rule.name);
  }

  #applyRules(clientHeaders: ReadonlyMap<string, string>, claims: Claims | undefined): ForwardedHeaders {
    const sent = new Map<string, string>();
    const hidden = new Set<string>();
    const visible = (name: string): string | undefined =>
      sent.get(name) ?? (hidden.has(name) ? undefined : clientHeaders.get(name));
    const send = (name: string, value: string | undefined): void => {
      if (value === undefined) sent.delete(name);
      else sent.set(name, value);
    };
    for (const name of this.#forward) send(name, clientHeaders.get(name));
    for (const rule of this.#rules) {
      switch (rule.kind) {
        case 'set':
          send(rule.name, rule.value);
          break;
        case 'claim':
          hidden.add(rule.name);
          send(rule.name, claimText(claims, rule.claim));
          break;
        case 'remove':
          hidden.add(rule.name);
          send(rule.name, undefined);
          break;
        case 'rename': {
          const value = visible(rule.name);
          hidden.add(rule.name).add(rule.to);
          send(rule.name, undefined);
          send(rule.to, value);
          break;
        }
        case 'forward':
          send(rule.name, visible(rule.name));
          break;
        case 'match':
          for (const name of clientHeaders.keys())
            if (matches(rule.pattern, name) && this.#maySend(name)) send(name, visible(name));
          break;
      }
    }
    if (sent.size === 0) return noForwardedHeaders;
    const headers = { key: '', pairs: [] };
    for (const name of [...sent.keys()].sort()) addForwardedHeader(headers, name, sent.get(name) as string);
    return headers;
  }

  /** The same steps as `#applyRules`, with sources instead of values. */
  #findSources(): ReadonlyMap<string, Sources> {
    const sent = new Map<string, Sources>();
    const hidden = new Set<string>();
    const none: Sources = new Set();
    const visible = (name: string): Sources => sent.get(name) ?? (hidden.has(name) ? none : new Set([name]));
    for (const name of this.#forward) sent.set(name, new Set([name]));
    for (const rule of this.#rules) {
      switch (rule.kind) {
        case 'set':
          sent.set(rule.name, none);
          break;
        case 'claim':
          hidden.add(rule.name);
          sent.set(rule.name, unnameable);
          break;
        case 'remove':
          hidden.add(rule.name);
          sent.delete(rule.name);
          break;
        case 'rename': {
          const sources = visible(rule.name);
          hidden.add(rule.name).add(rule.to);
          sent.delete(rule.name);
          sent.set(rule.to, sources);
          break;
        }
        case 'forward':
          sent.set(rule.name, visible(rule.name));
          break;
        case 'match':
          // Under a name that no header has, and that no later rule removes.
          sent.set('*', unnameable);
          break;
      }
    }
    return sent;
  }
}

/** The rules of `subgraphs.all` and of every subgraph with a section of its own. */
export function listHeaderRules(config: GatewayConfig): readonly HeaderRules[] {
  return [...new Set(Object.keys(config.subgraphs).map(createHeaderRules(config)))];
}

/** A header that the client lists in `Connection` must not travel (RFC 9110, 7.6.1). To drop it would let clients remove a
 *  header that a proxy in front of the gateway has added: the request is refused.
 *  @throws {GatewayError} `BAD_REQUEST` */
export function checkConnectionHeader(
  rules: readonly HeaderRules[],
  clientHeaders: ReadonlyMap<string, string>,
): void {
  const connection = clientHeaders.get('connection');
  if (connection === undefined || connection === 'keep-alive' || connection === 'close') return;
  for (const element of connection.split(',')) {
    const name = element.trim().toLowerCase();
    if (!clientHeaders.has(name) || !rules.some((own) => own.reads(name))) continue;
    throw new GatewayError(
      'BAD_REQUEST',
      `The header "connection" lists "${name}", which is sent on to subgraphs. Do not list it.`,
    );
  }
}

/** Returns the compiled header rules of each subgraph. Subgraphs with the same rules share one object. */
export function createHeaderRules(config: GatewayConfig): (subgraph: string) => HeaderRules {
  const policyOf = memoizePolicies(config);
  const bySubgraph = new Map<string, HeaderRules>();
  const known: { configured: ConfiguredHeaders; signatureHeader: string | undefined; rules: HeaderRules }[] =
    [];
  const rulesFor = (policy: SubgraphPolicy): HeaderRules => {
    const { headers } = policy;
    const signatureHeader = signingOf(policy)?.header;
    const equal = known.find(
      ({ configured, ...other }) =>
        configured.forward === headers.forward &&
        configured.rules === headers.rules &&
        other.signatureHeader === signatureHeader,
    );
    if (equal !== undefined) return equal.rules;
    const rules = new HeaderRules(headers, signatureHeader);
    known.push({ configured: headers, signatureHeader, rules });
    return rules;
  };
  return (subgraph) => {
    let rules = bySubgraph.get(subgraph);
    if (rules === undefined) {
      rules = rulesFor(policyOf(subgraph));
      bySubgraph.set(subgraph, rules);
    }
    return rules;
  };
}

function compileRule(rule: ConfiguredHeaders['rules'][number]): Rule {
  const { set, value, claim, remove, rename, to, forward, forwardMatching } = rule;
  if (set !== undefined)
    return claim === undefined
      ? { kind: 'set', name: set, value: value ?? '' }
      : { kind: 'claim', name: set, claim };
  if (remove !== undefined) return { kind: 'remove', name: remove };
  if (rename !== undefined) return { kind: 'rename', name: rename, to: to ?? rename };
  if (forward !== undefined) return { kind: 'forward', name: forward };
  return { kind: 'match', pattern: new RegExp(forwardMatching ?? '', 'i') };
}

function matches(pattern: RegExp, name: string): boolean {
  return name.length <= maxMatchedNameLength && pattern.test(name);
}

/** The value of a claim as header text; `undefined` without the claim. JSON is escaped to ASCII, which every header can
 *  have. */
function claimText(claims: Claims | undefined, claim: string): string | undefined {
  const value = claims !== undefined && Object.hasOwn(claims, claim) ? claims[claim] : undefined;
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'object') return String(value);
  return JSON.stringify(value).replace(
    /[^\x20-\x7e]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
