import type { IncomingHttpHeaders } from 'node:http';
import type { GatewayConfig } from '../../config/schema.ts';

/** `security.cors` of the configuration. */
export interface CorsOptions {
  /** Origins such as `https://shop.example`, `https://*.shop.example` for its subdomains, `http://localhost:*` for all
   *  ports, or `*` for all. */
  readonly origins: readonly string[];
  readonly credentials?: boolean;
  readonly allowHeaders?: readonly string[];
  readonly exposeHeaders?: readonly string[];
  /** Milliseconds for which browsers may store the answer to a preflight request. */
  readonly maxAge?: number;
}

/** Whose page sent a request, by its `origin`. `unknown`: no page of another origin in CORS mode, no page at all, or one
 *  whose browser does not say. `listed`: by name or as a subdomain. `any`: allowed only by `*`. */
type RequestOrigin = 'unknown' | 'same' | 'listed' | 'any' | 'foreign';

/** The request headers that the gateway and its clients use, and that a browser asks permission for. */
const clientHeaders = [
  'accept-language',
  'apollo-require-preflight',
  'apollographql-client-name',
  'apollographql-client-version',
  'authorization',
  'content-encoding',
  'content-type',
  'last-event-id',
  'traceparent',
  'tracestate',
  'tributary-budget',
  'tributary-defer',
  'tributary-explain',
  'tributary-priority',
  'x-apollo-operation-name',
  'x-graphql-event-stream-token',
  'x-request-id',
];

/** The response headers of the gateway that scripts of a page have a use for. */
const responseHeaderNames = ['x-request-id', 'retry-after', 'ratelimit', 'ratelimit-policy'];

/** The `security.cors` of a configuration. Pages may also send the headers with the token and with the name of the client,
 *  and those that subgraphs receive, and read those of subgraphs that clients get. Headers that a proxy sets in front of
 *  the gateway (`security.identity.header`, `limits.rate.key`) are not among them. */
export function corsOptionsOf({ security: { cors, jwt }, contracts, subgraphs }: GatewayConfig): CorsOptions {
  const forwarded = Object.values(subgraphs).flatMap(({ headers }) => [
    ...(headers?.forward ?? []),
    ...(headers?.rules ?? []).flatMap(({ forward, rename }) => forward ?? rename ?? []),
  ]);
  const responded = Object.values(subgraphs).flatMap(({ headers }) =>
    (headers?.respond ?? []).map(({ name }) => name).filter((name) => name !== 'set-cookie'),
  );
  const tokenHeaders = jwt === undefined ? [] : [jwt.header];
  const { clientNameHeaders, clientVersionHeaders } = contracts.record;
  return {
    ...cors,
    allowHeaders: [
      ...cors.allowHeaders,
      ...tokenHeaders,
      ...clientNameHeaders,
      ...clientVersionHeaders,
      ...forwarded,
    ],
    exposeHeaders: [...cors.exposeHeaders, ...responded],
  };
}

/** Which pages may use the gateway in a browser: those of its own origin and those that `security.cors` allows. */
export class CorsPolicy {
  /** Whether pages of listed origins may send cookies and HTTP authentication. */
  readonly allowsCredentials: boolean;
  readonly #hasTls: boolean;
  readonly #names: ReadonlySet<string>;
  readonly #wildcards: readonly { readonly scheme: string; readonly suffix: string }[];
  readonly #readableHeaders: Readonly<Record<string, string>>;
  readonly #preflightHeaders: Readonly<Record<string, string>>;

  /** `hasTls`: the listener has TLS. Otherwise, a proxy in front of it may have. */
  constructor(options: CorsOptions | undefined, hasTls = false) {
    this.#hasTls = hasTls;
    const {
      origins = [],
      credentials = false,
      allowHeaders = [],
      exposeHeaders = [],
      maxAge = 0,
    } = options ?? {};
    this.allowsCredentials = credentials;
    this.#names = new Set(origins);
    this.#wildcards = origins.flatMap((origin) => {
      const [, scheme, suffix] = /^(https?:\/\/)\*(\..+)$/.exec(origin) ?? [];
      return scheme === undefined || suffix === undefined ? [] : [{ scheme, suffix }];
    });
    this.#readableHeaders = {
      ...(credentials ? { 'access-control-allow-credentials': 'true' } : {}),
      'access-control-expose-headers': [...new Set([...responseHeaderNames, ...exposeHeaders])].join(', '),
    };
    this.#preflightHeaders = {
      'access-control-allow-headers': [...new Set([...clientHeaders, ...allowHeaders])].join(', '),
      'access-control-max-age': String(Math.floor(maxAge / 1000)),
    };
  }

  classify({ origin, host }: IncomingHttpHeaders): RequestOrigin {
    if (origin === undefined) return 'unknown';
    if (isSameHost(origin, host) && !this.#isWithoutTls(origin)) return 'same';
    if (this.#isListed(origin)) return 'listed';
    return this.#names.has('*') ? 'any' : 'foreign';
  }

  /** The headers that let the page at `origin` read a response. Only `vary` for an origin that is not allowed, and nothing
   *  when CORS is off. */
  responseHeaders(origin: string | undefined): Record<string, string> {
    if (this.#names.size === 0) return {};
    if (this.#names.has('*')) return { 'access-control-allow-origin': '*', ...this.#readableHeaders };
    if (origin === undefined || !this.#isListed(origin)) return { vary: 'origin' };
    return { 'access-control-allow-origin': origin, vary: 'origin', ...this.#readableHeaders };
  }

  /** The headers that answer a browser's preflight request; `undefined` when the page may not send the request. `methods`:
   *  the methods of the route. */
  preflightHeaders(headers: IncomingHttpHeaders, methods: string): Record<string, string> | undefined {
    if (headers['access-control-request-method'] === undefined) return undefined;
    const allowed = this.responseHeaders(headers.origin);
    if (allowed['access-control-allow-origin'] === undefined) return undefined;
    return { ...allowed, 'access-control-allow-methods': methods, ...this.#preflightHeaders };
  }

  /** Whether the page was loaded without TLS, unlike the listener: an attacker on the network may have changed it. */
  #isWithoutTls(origin: string): boolean {
    return this.#hasTls && !origin.startsWith('https:');
  }

  #isListed(origin: string): boolean {
    return this.#matches(origin) || this.#matches(`${origin.replace(/:\d+$/, '')}:*`);
  }

  #matches(origin: string): boolean {
    return (
      this.#names.has(origin) ||
      this.#wildcards.some(
        ({ scheme, suffix }) =>
          origin.startsWith(scheme) &&
          origin.endsWith(suffix) &&
          subdomain.test(origin.slice(scheme.length, -suffix.length)),
      )
    );
  }
}

/** One label or several. */
const subdomain = /^[a-z0-9_-]+(?:\.[a-z0-9_-]+)*$/;

/** Whether a page of this origin was loaded from the host of the request. Browsers leave out the default port, and proxies
 *  may add it (`$host:$server_port` in nginx). */
export function isSameHost(origin: string, host: string | undefined): boolean {
  const page = URL.parse(origin);
  if (page === null || host === undefined) return false;
  const requested = host.toLowerCase();
  return requested === page.host || requested === `${page.host}:${page.protocol === 'https:' ? 443 : 80}`;
}
