import type { GatewayOptions } from '../../gateway/gateway.ts';
import { startTestGateway, type TestGateway } from '../harness/gateway.ts';
import { now } from './askMonolith.ts';

/** The demo with a gateway that shows errors as they are and refuses no operation for its size. */
export function startGatewayUnderTest(): Promise<TestGateway> {
  return startTestGateway({ now, config });
}

const config: Partial<GatewayOptions> = {
  security: { exposeSubgraphErrors: true, introspection: true },
  limits: { aliases: 5_000, directives: 5_000, deferredFragments: 1_000, recursiveSelections: 20_000 },
};
