import type { GatewayConfig } from '../config/schema.ts';
import { createGateway, type GatewayDependencies } from '../gateway.ts';
import type { Addresses } from './addresses.ts';
import type { Shutdown } from './shutdown.ts';

/** Runs a gateway until the shutdown is due and the gateway is drained. A request to shut down also aborts the start,
 *  which may wait for a supergraph for an unlimited time. */
export async function runGateway(
  config: GatewayConfig,
  shutdown: Shutdown,
  onListening: (addresses: Addresses) => void,
  dependencies: GatewayDependencies = {},
): Promise<void> {
  const gateway = await Promise.race([createGateway(config, dependencies), shutdown.requested]);
  if (gateway === undefined) return;
  try {
    const addresses = await Promise.race([gateway.start(), shutdown.requested]);
    // A load balancer does not yet send requests to a gateway that has not started.
    if (addresses === undefined) return;
    onListening(addresses);
    await shutdown.requested;
    gateway.announceShutdown();
    await shutdown.due;
  } finally {
    await gateway.close();
  }
}
