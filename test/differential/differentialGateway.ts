import type { GatewayOptions } from '../../gateway/gateway.ts';
import { startTestGateway, type TestGateway } from '../harness/testGateway.ts';
import { fixedNow } from './demoMonolith.ts';

/** Starts the demo with a gateway that exposes subgraph errors and refuses no operation for its size. */
export function startDifferentialGateway(): Promise<TestGateway> {
  return startTestGateway({ now: fixedNow, config });
}

const config: Partial<GatewayOptions> = {
  security: { exposeSubgraphErrors: true, introspection: true },
  limits: { aliases: 5_000, directives: 5_000, deferredFragments: 1_000, recursiveSelections: 20_000 },
};
