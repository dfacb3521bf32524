import type { IncomingHttpHeaders } from 'node:http';

/** Which foreign pages a browser may let read our answers. */
export interface CorsOptions {
  /** Origins like `https://shop.example`, or `*` for all. */
  readonly origins: readonly string[];
}

/** Whether an origin is among those that are listed, by its name. */
export function isListedOrigin(origin: string, options: CorsOptions | undefined): boolean {
  return options?.origins.includes(origin) ?? false;
}

/** Headers that let the page at `origin` read an answer; only `vary` for a page that may not. None at all where
 *  no foreign page may. */
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

/** Headers that answer a browser's preflight; `undefined` when the page may not send the request. `methods`: those of
 *  the route. */
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
