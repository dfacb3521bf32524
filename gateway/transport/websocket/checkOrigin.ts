import type { IncomingHttpHeaders } from 'node:http';
import { HttpError } from '../../admission/httpError.ts';
import type { CorsPolicy } from '../http/cors.ts';

/** Whether the handshake's `cookie` and `authorization` headers are used: a browser sends them for any page. */
export type HandshakeCredentials = 'used' | 'dropped';

/** Checks the origin of a WebSocket handshake, which browsers let every page open with the user's cookies. Allows pages of
 *  the gateway's host and origins that CORS lists by name; under `*`, an origin may connect without credentials. Clients
 *  other than browsers send no origin and are allowed.
 *  @throws {HttpError} 403 for any other origin. */
export function checkOrigin(headers: IncomingHttpHeaders, cors: CorsPolicy): HandshakeCredentials {
  const origin = cors.classify(headers);
  if (origin === 'any') return 'dropped';
  if (origin !== 'foreign') return 'used';
  throw new HttpError(
    403,
    "Pages of this origin may not connect: the origin is neither the gateway's nor listed (security.cors.origins).",
  );
}
