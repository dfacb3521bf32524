import { isIP } from 'node:net';

/** Whether the `host` of a request is `localhost`, a name below `.localhost`, or an address: a browser resolves these without
 *  asking a server. An attacker can let any other name point to this machine (DNS rebinding). */
export function isLocalHost(host: string): boolean {
  const hostname = hostnameOf(`http://${host}`);
  return (
    hostname === 'localhost' ||
    hostname.endsWith('.localhost') ||
    isIP(hostname.replace(/^\[(.*)\]$/, '$1')) !== 0
  );
}

/** Empty for what is no URL. */
export function hostnameOf(url: string): string {
  return URL.canParse(url) ? new URL(url).hostname : '';
}
