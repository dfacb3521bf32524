import { accounts } from './accounts/server.ts';
import { inventory } from './inventory/server.ts';
import { products } from './products/server.ts';
import { recommendations } from './recommendations/server.ts';
import { reviews } from './reviews/server.ts';
import type { FaultClock } from './shared/faultClock.ts';
import type { Faults } from './shared/parseFaults.ts';
import { readPort, runUntilSignal } from './shared/runSubgraph.ts';
import { type RunningSubgraph, startSubgraph } from './shared/startSubgraph.ts';
import type { SubgraphDefinition } from './shared/subgraphDefinition.ts';

export const demoDefinitions = { accounts, products, inventory, reviews, recommendations } as const;

export type DemoSubgraphName = keyof typeof demoDefinitions;

type StoreOf<Definition> = Definition extends SubgraphDefinition<infer Store> ? Store : never;

type RunningDemo = {
  readonly [Name in DemoSubgraphName]: RunningSubgraph<StoreOf<(typeof demoDefinitions)[Name]>>;
};

export interface DemoSubgraphs extends RunningDemo {
  /** All subgraphs, in the order of their ports. */
  readonly all: readonly RunningSubgraph[];
  close(): Promise<void>;
}

export interface StartDemoOptions {
  /** The port of each subgraph; 0 selects any free port. Default: the ports of the definitions, 4101 to 4105. */
  readonly ports?: Partial<Record<DemoSubgraphName, number>> | 0;
  readonly host?: string;
  /** The initial faults of each subgraph. Default: none. */
  readonly faults?: Partial<Record<DemoSubgraphName, string | Faults>>;
  readonly clock?: FaultClock;
  readonly keepRequests?: number;
  /** The time of new records. Default: the system's time. */
  readonly now?: () => Date;
}

/** Starts all five subgraphs in this process, without faults unless `faults` has some. If one cannot start, the
 *  others are closed and its error is thrown. */
export async function startDemoSubgraphs(options: StartDemoOptions = {}): Promise<DemoSubgraphs> {
  const { ports = {}, faults = {}, now, ...common } = options;

  async function start<Store>(name: DemoSubgraphName, definition: SubgraphDefinition<Store>) {
    const port = ports === 0 ? 0 : ports[name];
    const chosenFaults = faults[name];
    return startSubgraph(definition, {
      ...common,
      store: definition.createStore(now === undefined ? {} : { now }),
      ...(port === undefined ? {} : { port }),
      ...(chosenFaults === undefined ? {} : { faults: chosenFaults }),
    });
  }

  const starting = [
    start('accounts', accounts),
    start('products', products),
    start('inventory', inventory),
    start('reviews', reviews),
    start('recommendations', recommendations),
  ] as const;
  try {
    const all = await Promise.all(starting);
    const [accountsRunning, productsRunning, inventoryRunning, reviewsRunning, recommendationsRunning] = all;
    return {
      accounts: accountsRunning,
      products: productsRunning,
      inventory: inventoryRunning,
      reviews: reviewsRunning,
      recommendations: recommendationsRunning,
      all,
      async close() {
        await Promise.all(all.map((subgraph) => subgraph.close()));
      },
    };
  } catch (error) {
    for (const outcome of await Promise.allSettled<RunningSubgraph>(starting)) {
      if (outcome.status === 'fulfilled') await outcome.value.close();
    }
    throw error;
  }
}

/** The demo's faults. `FAULTS_<NAME>` replaces the defaults of a subgraph. */
export function readDemoFaults(
  environment: Readonly<Record<string, string | undefined>>,
): Record<DemoSubgraphName, string> {
  const names = Object.keys(demoDefinitions) as DemoSubgraphName[];
  const read = names.map((name) => [
    name,
    environment[`FAULTS_${name.toUpperCase()}`] ?? demoDefinitions[name].demoFaults ?? '',
  ]);
  return Object.fromEntries(read);
}

/** Consecutive ports from `first` on; any free ports for 0. */
function portsFrom(first: number): Partial<Record<DemoSubgraphName, number>> | 0 {
  if (first === 0) return 0;
  return Object.fromEntries(Object.keys(demoDefinitions).map((name, index) => [name, first + index]));
}

if (import.meta.main) {
  const { HOST, PORT } = process.env;
  await runUntilSignal(async () => {
    const demo = await startDemoSubgraphs({
      faults: readDemoFaults(process.env),
      ...(HOST === undefined ? {} : { host: HOST }),
      ...(PORT === undefined ? {} : { ports: portsFrom(readPort(PORT)) }),
    });
    return demo.all;
  });
}
