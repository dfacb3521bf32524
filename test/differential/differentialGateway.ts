import type { GatewayOptions } from '../../gateway/gateway.ts';
import { demoDefinitions } from '../../subgraphs/demo.ts';
import { startTestGateway, type TestGateway, type TestGatewayOptions } from '../harness/testGateway.ts';
import { waitForTurns } from '../harness/waitForTurns.ts';
import { fixedNow } from './demoMonolith.ts';

/** Starts the demo with a gateway that exposes subgraph errors and refuses no operation for its size. */
export function startDifferentialGateway(options: TestGatewayOptions = {}): Promise<TestGateway> {
  return startTestGateway({ now: fixedNow, config, ...options });
}

/** The same, where no two subgraphs respond in the same turn of the event loop: which fetches share a request does then not
 *  depend on the machine. */
export function startDifferentialGatewayInTurns(): Promise<TestGateway> {
  const latencies = Object.keys(demoDefinitions).map((name, index) => [
    name,
    { targets: { '*': { latency: 10 * 2 ** index } } },
  ]);
  return startDifferentialGateway({
    faults: Object.fromEntries(latencies),
    clock: { sleep: (turns) => waitForTurns(turns) },
  });
}

const config: Partial<GatewayOptions> = {
  security: { exposeSubgraphErrors: true, introspection: true },
  limits: { aliases: 5_000, directives: 5_000, deferredFragments: 1_000, recursiveSelections: 20_000 },
};
