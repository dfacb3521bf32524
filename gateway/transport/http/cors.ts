import type { IncomingHttpHeaders } from 'node:http';

/** The origins whose pages may read responses in a browser. */
export interface CorsOptions {
  /** Origins such as `https://shop.example`, or `*` for all. */
  readonly origins: readonly string[];
}

/** Whether the options list this exact origin. */
export function isListedOrigin(origin: string, options: CorsOptions | undefined): boolean {
  return options?.origins.includes(origin) ?? false;
}

/** The headers that let the page at `origin` read a response. Only `vary` for an origin that is not allowed, and nothing
 *  when CORS is off. */
export function corsHeaders(
  origin: string | undefined,
  options: CorsOptions | undefined,
): Record<string, string> {
  if (options === undefined || options.origins.length === 0) return {};
  if (isListedOrigin('*', options)) return { 'access-control-allow-origin': '*', ...exposedHeaders };
  if (origin === undefined || !isListedOrigin(origin, options)) return { vary: 'origin' };
  return { 'access-control-allow-origin': origin, vary: 'origin', ...exposedHeaders };
}

const exposedHeaders = { 'access-control-expose-headers': 'x-request-id' };

/** The headers that answer a browser's preflight request; `undefined` when the page may not send the request. `methods`:
 *  the methods of the route. */
export function preflightHeaders(
  headers: IncomingHttpHeaders,
  options: CorsOptions | undefined,
  methods: string,
): Record<string, string> | undefined {
  if (headers['access-control-request-method'] === undefined) return undefined;
  const allowed = corsHeaders(headers.origin, options);
  if (allowed['access-control-allow-origin'] === undefined) return undefined;
  const requested = headers['access-control-request-headers'];
  return {
    ...allowed,
    'access-control-allow-methods': methods,
    ...(requested === undefined ? {} : { 'access-control-allow-headers': requested }),
  };
}
