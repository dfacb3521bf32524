import { fileURLToPath } from 'node:url';
import { createGateway, type GatewayDependencies, type GatewayOptions } from '../../gateway/gateway.ts';
import { type DemoSubgraphs, type StartDemoOptions, startDemoSubgraphs } from '../../subgraphs/demo.ts';
import { planInProcess } from './inProcessPlanner.ts';

export interface TestGatewayOptions extends Pick<StartDemoOptions, 'faults' | 'clock' | 'now'> {
  /** Overrides the harness's configuration: free ports, no log, the demo's supergraph and subgraphs, no latency
   *  budgets and long timeouts, so that responses do not depend on the machine's load. */
  readonly config?: Partial<GatewayOptions> | ((subgraphs: DemoSubgraphs) => Partial<GatewayOptions>);
  /** Overrides the planner without a thread. A suite about the thread passes `startPlannerThread`. */
  readonly dependencies?: GatewayDependencies;
}

export interface TestGateway extends AsyncDisposable {
  /** The URL of the GraphQL route. */
  readonly url: string;
  readonly adminUrl: string;
  readonly subgraphs: DemoSubgraphs;
  close(): Promise<void>;
}

export const demoSupergraphFile = fileURLToPath(
  new URL('../fixtures/demo.supergraph.graphql', import.meta.url),
);

/** For tests that delay a subgraph's response while other things happen. */
export const longCallTimeouts = { attempt: '5m', deadline: '5m' } as const;

/** Rejects only operations that no planner could plan, even on a busy machine. */
export const longPlanningTimeout = { timeout: '1m', splitTimeout: '1m' } as const;

/** Other suites may keep the machine busy. */
export const noShedding = { eventLoopDelay: 0, memory: 1 } as const;

/** Starts the demo's subgraphs and a gateway in this process, on free ports. */
export async function startTestGateway(options: TestGatewayOptions = {}): Promise<TestGateway> {
  const { config: configure = {}, dependencies, ...demo } = options;
  const subgraphs = await startDemoSubgraphs({ ports: 0, ...demo });
  const config = typeof configure === 'function' ? configure(subgraphs) : configure;
  const gateway = await createGateway(
    {
      listen: { port: 0, drainTimeout: 100 },
      admin: { port: 0 },
      supergraph: { file: demoSupergraphFile, watch: false },
      telemetry: { logLevel: 'silent' },
      planning: longPlanningTimeout,
      overload: noShedding,
      contracts: { guard: 'off' },
      enrichment: { mode: 'never' },
      ...config,
      subgraphs: {
        ...Object.fromEntries(subgraphs.all.map(({ name, url }) => [name, { url }])),
        ...config.subgraphs,
        // Prevents probing of subgraphs for their subscription protocol, because tests count their requests.
        all: {
          timeouts: longCallTimeouts,
          subscription: { protocol: 'graphql_ws' },
          ...config.subgraphs?.all,
        },
      },
    },
    { startPlannerThread: planInProcess, ...dependencies },
  );
  const close = async (): Promise<void> => {
    await gateway.close();
    await subgraphs.close();
  };
  try {
    return { ...(await gateway.start()), subgraphs, close, [Symbol.asyncDispose]: close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Resolves when the reviews subgraph has exactly `count` subscriptions. */
export function subscribed({ subgraphs }: TestGateway, count: number): Promise<void> {
  return subgraphs.reviews.requests.waitUntil(
    ({ recent }) =>
      recent.filter(({ transport, outcome }) => transport === 'websocket' && outcome === 'pending').length ===
      count,
  );
}
