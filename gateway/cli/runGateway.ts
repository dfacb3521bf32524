import type { GatewayConfig } from '../config/schema.ts';
import { createGateway, type GatewayDependencies } from '../gateway.ts';
import type { Addresses } from './addresses.ts';

/** Runs a gateway until `stopped` resolves and it is drained. A stop counts during the start as well: a
 *  supergraph that does not come must not hold the process back. */
export async function runGateway(
  config: GatewayConfig,
  stopped: Promise<void>,
  onListening: (addresses: Addresses) => void,
  parts: GatewayDependencies = {},
): Promise<void> {
  const gateway = await Promise.race([createGateway(config, parts), stopped]);
  if (gateway === undefined) return;
  try {
    const addresses = await Promise.race([gateway.start(), stopped]);
    if (addresses !== undefined) onListening(addresses);
    await stopped;
  } finally {
    await gateway.close();
  }
}
