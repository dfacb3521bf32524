import { FaultSpecError } from './parseFaults.ts';
import { type RunningSubgraph, startSubgraph } from './startSubgraph.ts';
import type { SubgraphDefinition } from './subgraphDefinition.ts';

/** Runs one subgraph as a process of its own, until SIGTERM or SIGINT. `PORT`, `HOST` and `FAULTS` take the
 *  place of the defaults. Exits with 2 where they are wrong. */
export async function runSubgraph<Store>(definition: SubgraphDefinition<Store>): Promise<void> {
  const { PORT, HOST, FAULTS } = process.env;
  await runUntilSignal(async () => [
    await startSubgraph(definition, {
      ...(PORT === undefined ? {} : { port: readPort(PORT) }),
      ...(HOST === undefined ? {} : { host: HOST }),
      faults: FAULTS ?? definition.demoFaults ?? '',
    }),
  ]);
}

/** Starts, prints each address, and closes on SIGTERM or SIGINT. */
export async function runUntilSignal(start: () => Promise<readonly RunningSubgraph[]>): Promise<void> {
  let running: readonly RunningSubgraph[];
  try {
    running = await start();
  } catch (error) {
    if (!isUsageError(error)) throw error;
    console.error(error.message);
    process.exitCode = 2;
    return;
  }
  for (const { name, url } of running) console.log(`${name.padEnd(16)} ${url}`);

  async function close(): Promise<void> {
    await Promise.all(running.map((subgraph) => subgraph.close()));
  }
  process.once('SIGTERM', close);
  process.once('SIGINT', close);
}

/** A port from the environment, 0 for any free one. Throws `RangeError`. */
export function readPort(text: string): number {
  const port = Number(text);
  if (text !== '' && Number.isInteger(port) && port >= 0 && port <= 65_535) return port;
  throw new RangeError(`PORT: must be a whole number from 0 to 65535, not "${text}"`);
}

function isUsageError(error: unknown): error is Error {
  return (
    error instanceof FaultSpecError ||
    error instanceof RangeError ||
    (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE')
  );
}
