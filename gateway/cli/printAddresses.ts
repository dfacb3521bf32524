import type { GatewayAddresses } from '../transport/http/mountedGateway.ts';

/** Prints the addresses of both listeners to standard output. */
export function printAddresses({ url, adminUrl }: GatewayAddresses, workers = 1): void {
  const workerCount = workers === 1 ? '' : ` (${workers} workers)`;
  console.log(`Tributary listens on ${url}${workerCount}\nAdmin listener on ${adminUrl}`);
}
