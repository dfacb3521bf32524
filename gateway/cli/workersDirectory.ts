import cluster from 'node:cluster';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { messageOf } from '../errors.ts';
import type { WorkerIdentity } from '../transport/workers/workerIdentity.ts';
import { CommandError, exitCode } from './exitCode.ts';

/** Environment variable of workers. */
const directoryVariable = 'TRIBUTARY_WORKERS_DIRECTORY';

/** A socket path has at most 103 bytes on all Unix systems. The difference is for the directory name and the socket name. */
const maxDirectoryBytes = 76;

/** Creates the directory for the workers' sockets, with mode 0700. It is removed when this process exits. Returns the
 *  environment variables for the workers.
 *  @throws {CommandError} when the path of the temporary directory is too long, and when it cannot be written to. */
export function createWorkersDirectory(): Readonly<Record<string, string>> {
  const parent = tmpdir();
  const failure = (problem: string, options?: ErrorOptions): CommandError =>
    new CommandError(
      exitCode.failed,
      `The workers cannot create their sockets in ${parent}: ${problem}. Set TMPDIR to a directory that this process may write to, with a path of at most ${maxDirectoryBytes} bytes.`,
      options,
    );
  if (Buffer.byteLength(parent) > maxDirectoryBytes) throw failure('its path is too long');
  let directory: string;
  try {
    directory = mkdtempSync(join(parent, 'tributary-'));
  } catch (cause) {
    throw failure(messageOf(cause), { cause });
  }
  removeAtExit(directory, () => true);
  return { [directoryVariable]: directory };
}

/** The directory in the environment variables for workers. */
export function workersDirectoryOf({ [directoryVariable]: directory = '' }: NodeJS.ProcessEnv): string {
  return directory;
}

/** The identity of this worker process. Its number is unique, and is not reused by its replacement. */
export function readWorkerIdentity(): WorkerIdentity {
  const { [directoryVariable]: directory } = process.env;
  if (cluster.worker === undefined || directory === undefined) {
    throw new Error('Only the supervisor can start a worker.');
  }
  // When the supervisor was killed, its workers exit and remove the directory.
  removeAtExit(directory, () => !process.connected);
  return { name: String(cluster.worker.id), directory };
}

function removeAtExit(directory: string, isOwner: () => boolean): void {
  process.once('exit', () => {
    if (isOwner()) rmSync(directory, { recursive: true, force: true });
  });
}
