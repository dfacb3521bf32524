import type { IncomingHttpHeaders } from 'node:http';
import { HttpError } from '../../admission/httpError.ts';
import { type CorsOptions, isListedOrigin } from '../http/cors.ts';

/** Whether the handshake's `cookie` and `authorization` headers are used: a browser sends them for any page. */
export type HandshakeCredentials = 'used' | 'dropped';

/** Checks the origin of a WebSocket handshake, which browsers let every page open with the user's cookies. Allows pages of
 *  the gateway's host and origins that CORS lists by name; under `*`, an origin may connect without credentials. Clients
 *  other than browsers send no origin and are allowed.
 *  @throws {HttpError} 403 for any other origin. */
export function checkOrigin(
  { origin, host }: IncomingHttpHeaders,
  cors: CorsOptions | undefined,
): HandshakeCredentials {
  if (origin === undefined || isSameHost(origin, host)) return 'used';
  if (isListedOrigin(origin, cors)) return 'used';
  if (isListedOrigin('*', cors)) return 'dropped';
  throw new HttpError(
    403,
    "Pages of this origin may not connect: the origin is neither the gateway's nor listed (security.cors.origins).",
  );
}

function isSameHost(origin: string, host: string | undefined): boolean {
  return host !== undefined && URL.canParse(origin) && new URL(origin).host === host.toLowerCase();
}
