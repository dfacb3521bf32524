/** Whether a listen address stands for all addresses of the machine, so that clients cannot connect to it. */
export function isWildcardAddress(host: unknown): boolean {
  return host === '0.0.0.0' || host === '::';
}
