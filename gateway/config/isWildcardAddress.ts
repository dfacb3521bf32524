/** Whether a host to listen on means all addresses of the machine, and is none to be reached at. */
export function isWildcardAddress(host: unknown): boolean {
  return host === '0.0.0.0' || host === '::';
}
