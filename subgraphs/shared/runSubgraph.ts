import { FaultSpecError } from './parseFaults.ts';
import { type RunningSubgraph, startSubgraph } from './startSubgraph.ts';
import type { SubgraphDefinition } from './subgraphDefinition.ts';

/** Runs one subgraph as a process, until SIGTERM or SIGINT. `PORT`, `HOST` and `FAULTS` replace the defaults. Exits
 *  with 2 if one of them is invalid. */
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

/** Starts the subgraphs, prints each URL, and closes them on SIGTERM or SIGINT, or when the process that started this
 *  one with an IPC channel has ended. */
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
  for (const event of ['SIGTERM', 'SIGINT', 'disconnect']) process.once(event, close);
  // The channel closed while the subgraphs started.
  if (process.connected === false) await close();
  // A listener of `disconnect` would keep this process running after it has closed all.
  process.channel?.unref();
}

/** Parses a port from the environment; 0 selects any free port. @throws {RangeError} */
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
