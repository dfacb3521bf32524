import { randomUUID } from 'node:crypto';
import { join } from 'node:path';

/** Identifies one of several processes that share a port. */
export interface WorkerIdentity {
  /** Digits, unique among all workers that ever ran. */
  readonly name: string;
  /** The directory with the Unix socket of each worker, on which it receives requests from the others. A process that
   *  can open these sockets can pretend to be any client: restrict access to the gateway's user. */
  readonly directory: string;
}

export function socketPathOf({ directory }: WorkerIdentity, worker: string): string {
  return join(directory, worker);
}

const workerSuffix = /\.([1-9]\d{0,8})$/;

/** Creates a generator of unguessable ids: 122 random bits and, with several workers, the name of this one. */
export function createIdGenerator(worker: string | undefined): () => string {
  return worker === undefined ? () => randomUUID() : () => `${randomUUID()}.${worker}`;
}

/** The name of the worker in an id. Clients can forge it, so that no such worker may exist; it consists of digits only,
 *  which makes it safe in a path. */
export function workerOf(id: string): string | undefined {
  return workerSuffix.exec(id)?.[1];
}
