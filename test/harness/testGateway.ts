import { fileURLToPath } from 'node:url';
import { createGateway, type GatewayDependencies, type GatewayOptions } from '../../gateway/gateway.ts';
import { type DemoSubgraphs, type StartDemoOptions, startDemoSubgraphs } from '../../subgraphs/demo.ts';
import { planInProcess } from './inProcessPlanner.ts';

export interface TestGatewayOptions extends Pick<StartDemoOptions, 'faults' | 'clock' | 'now'> {
  /** Over what the harness sets: any free ports, no log, the demo's supergraph and subgraphs, and that every field is
   *  waited for, and every subgraph for long, so that answers do not depend on how busy the machine is. */
  readonly config?: Partial<GatewayOptions>;
  /** Over a planner without a thread; a suite about the thread gives `startPlannerThread`. */
  readonly dependencies?: GatewayDependencies;
}

export interface TestGateway extends AsyncDisposable {
  /** Of the GraphQL route. */
  readonly url: string;
  readonly adminUrl: string;
  readonly subgraphs: DemoSubgraphs;
  close(): Promise<void>;
}

export const demoSupergraphFile = fileURLToPath(
  new URL('../fixtures/demo.supergraph.graphql', import.meta.url),
);

/** For tests that hold back an answer of a subgraph while other things happen, for as long as these take. */
export const longCallTimeouts = { attempt: '5m', deadline: '5m' } as const;

/** Only an operation that is too much for any planner is refused, however busy the machine is. */
export const longPlanningTimeout = { timeout: '1m' } as const;

/** The demo's subgraphs and a gateway before them, all in this process and on any free ports. */
export async function startTestGateway(options: TestGatewayOptions = {}): Promise<TestGateway> {
  const { config = {}, dependencies, ...demo } = options;
  const subgraphs = await startDemoSubgraphs({ ports: 0, ...demo });
  const gateway = await createGateway(
    {
      listen: { port: 0, drainTimeout: 100 },
      admin: { port: 0 },
      supergraph: { file: demoSupergraphFile, watch: false },
      telemetry: { logLevel: 'silent' },
      planning: longPlanningTimeout,
      contracts: { guard: 'off' },
      enrichment: { mode: 'never' },
      ...config,
      subgraphs: {
        ...Object.fromEntries(subgraphs.all.map(({ name, url }) => [name, { url }])),
        ...config.subgraphs,
        // Nobody asks a subgraph how it is subscribed at: tests count its requests.
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
