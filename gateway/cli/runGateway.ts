import type { GatewayConfig } from '../config/schema.ts';
import { createGateway, type GatewayDependencies } from '../gateway.ts';
import type { Addresses } from './addresses.ts';

/** Runs a gateway until `stopped` resolves and the gateway is drained. `stopped` also aborts the start, which may wait for
 *  a supergraph for an unlimited time. */
export async function runGateway(
  config: GatewayConfig,
  stopped: Promise<void>,
  onListening: (addresses: Addresses) => void,
  dependencies: GatewayDependencies = {},
): Promise<void> {
  const gateway = await Promise.race([createGateway(config, dependencies), stopped]);
  if (gateway === undefined) return;
  try {
    const addresses = await Promise.race([gateway.start(), stopped]);
    if (addresses !== undefined) onListening(addresses);
    await stopped;
  } finally {
    await gateway.close();
  }
}
