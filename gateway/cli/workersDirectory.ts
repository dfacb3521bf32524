import cluster from 'node:cluster';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { WorkerIdentity } from '../transport/workers/workerIdentity.ts';
import { CommandError, exitCode } from './exitCode.ts';

/** In the environment of workers. */
const directoryVariable = 'TRIBUTARY_WORKERS_DIRECTORY';

/** The path of a socket has at most 103 bytes on every Unix; the rest is for the directory's own name and a worker's. */
const maxDirectoryBytes = 76;

/** Where workers listen for each other: nobody else gets into it (mode 0700), and it is gone with this process. Returns
 *  what workers need in their environment. Errors: `CommandError`. */
export function createWorkersDirectory(): Readonly<Record<string, string>> {
  const place = tmpdir();
  if (Buffer.byteLength(place) > maxDirectoryBytes) {
    throw new CommandError(
      exitCode.failed,
      `The workers cannot have their sockets in ${place}: its name is too long. Set TMPDIR to a directory whose name has at most ${maxDirectoryBytes} bytes.`,
    );
  }
  const directory = mkdtempSync(join(place, 'tributary-'));
  removeAtExit(directory, () => true);
  return { [directoryVariable]: directory };
}

/** Which worker this process is. Its number is given to no other one, also not to the one that takes its place. */
export function readWorkerIdentity(): WorkerIdentity {
  const { [directoryVariable]: directory } = process.env;
  if (cluster.worker === undefined || directory === undefined) {
    throw new Error('A worker is started by its supervisor only.');
  }
  // All workers end with a supervisor that was killed, and nobody else is left to do it.
  removeAtExit(directory, () => !process.connected);
  return { name: String(cluster.worker.id), directory };
}

function removeAtExit(directory: string, isMine: () => boolean): void {
  process.once('exit', () => {
    if (isMine()) rmSync(directory, { recursive: true, force: true });
  });
}
