import type { IncomingHttpHeaders } from 'node:http';
import { HttpError } from '../../admission/httpError.ts';
import type { CorsPolicy } from './cors.ts';

/** Checks that no page of another site can make a browser send a GET or POST request with these headers, unless it is
 *  allowed to: the browser sends a preflight request first, or names the page.
 *  @throws {HttpError} 400, a status after which an `EventSource` does not reconnect. */
export function checkCsrf(headers: IncomingHttpHeaders, cors: CorsPolicy): void {
  if (isPreflighted(headers) || isFromTrustedPage(headers, cors)) return;
  throw new HttpError(400, message);
}

const message =
  'This operation has been blocked as a potential Cross-Site Request Forgery (security.csrf). Send the operation by POST with `content-type: application/json`, or send a non-empty `apollo-require-preflight` header. An EventSource, which can send neither, has to belong to a page of the same origin, over https or on localhost, or of an origin in security.cors.origins (with cookies: security.cors.credentials).';

/** Whether the request has a header that makes a browser send a preflight request for pages of other origins. */
function isPreflighted(headers: IncomingHttpHeaders): boolean {
  const contentType = headers['content-type'];
  // Most requests have exactly this.
  if (contentType === 'application/json') return true;
  const essence = contentType?.split(';', 1)[0]?.trim().toLowerCase();
  if (essence !== undefined && !simpleContentTypes.has(essence)) return true;
  return preflightedHeaders.some((name) => (headers[name] ?? '') !== '');
}

const preflightedHeaders = [
  'apollo-require-preflight',
  'x-apollo-operation-name',
  'x-graphql-event-stream-token',
] as const;

const simpleContentTypes: ReadonlySet<string> = new Set([
  'application/x-www-form-urlencoded',
  'multipart/form-data',
  'text/plain',
]);

/** Whether the browser itself vouches for the page: no script can set `sec-fetch-site` or `origin`. */
function isFromTrustedPage(headers: IncomingHttpHeaders, cors: CorsPolicy): boolean {
  if (headers['sec-fetch-site'] === 'same-origin') return true;
  const origin = cors.classify(headers);
  if (origin === 'same' || (origin === 'listed' && cors.allowsCredentials)) return true;
  const isAllowed = origin === 'listed' || origin === 'any';
  // Nothing in this request is the user's. The browser shows the page no response to the user's cookies, but an event stream
  // that the page has reserved without them would.
  return isAllowed && headers.cookie === undefined && headers.authorization === undefined;
}
