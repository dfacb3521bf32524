import type { IncomingHttpHeaders } from 'node:http';
import { HttpError } from '../../admission/httpError.ts';
import { type CorsOptions, isListedOrigin } from '../http/cors.ts';

/** Headers that a browser sends by itself with a handshake, whatever page it is for. */
export type HandshakeCredentials = 'kept' | 'dropped';

/** Checks the page that a handshake comes from: a browser lets every page connect, and sends its cookies along. Pages of
 *  the same host may, and those that CORS lists; where it lists all, without what the browser knows of the user. Throws a
 *  `Refusal` (403). Clients that are no browsers send no origin. */
export function checkOrigin(
  { origin, host }: IncomingHttpHeaders,
  cors: CorsOptions | undefined,
): HandshakeCredentials {
  if (origin === undefined || isSameHost(origin, host)) return 'kept';
  if (isListedOrigin(origin, cors)) return 'kept';
  if (isListedOrigin('*', cors)) return 'dropped';
  throw new HttpError(
    403,
    'Pages of this origin may not connect: it is neither that of the gateway nor listed (security.cors.origins).',
  );
}

function isSameHost(origin: string, host: string | undefined): boolean {
  return host !== undefined && URL.canParse(origin) && new URL(origin).host === host.toLowerCase();
}
