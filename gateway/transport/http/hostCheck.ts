import type { IncomingHttpHeaders } from 'node:http';
import { HttpError } from '../../admission/httpError.ts';
import { isLoopback } from '../../config/isLoopback.ts';
import { hostnameOf, isLocalHost } from './localHosts.ts';

interface CheckedListener {
  readonly host: string;
  readonly publicUrl?: string | undefined;
  readonly tls?: { readonly cert: string } | undefined;
}

/** Returns the error for a request whose `host` may be that of a page that reaches this machine by DNS rebinding. */
export type CheckHost = (headers: IncomingHttpHeaders) => HttpError | undefined;

/** Creates the check of `security.checkHost`. Any host is allowed if other machines can connect, because they use the names
 *  of this one, and with TLS, because browsers compare the name with the certificate. */
export function createHostCheck({ host, publicUrl = '', tls }: CheckedListener): CheckHost {
  if (!isLoopback(host) || tls?.cert) return () => undefined;
  const publicName = hostnameOf(publicUrl);
  return ({ host: requested }) => {
    // Browsers always send it.
    if (requested === undefined || isLocalHost(requested)) return undefined;
    if (publicName !== '' && hostnameOf(`http://${requested}`) === publicName) return undefined;
    return new HttpError(
      403,
      `The host of the request, ${JSON.stringify(requested)}, is neither localhost, nor an address, nor the host of listen.publicUrl, although only this machine can connect (listen.host, security.checkHost). Behind a tunnel or proxy that sends its own host, set listen.publicUrl to its address.`,
    );
  };
}
