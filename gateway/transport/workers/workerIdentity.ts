import { join } from 'node:path';

/** One of several processes that share a port, and how the others reach it. */
export interface WorkerIdentity {
  /** Digits. No other worker has or had it. */
  readonly name: string;
  /** Where each worker has the socket on which it takes what others pass on. Whoever can open one can pretend to be any
   *  client: nobody else may get into it. */
  readonly directory: string;
}

export function socketPathOf({ directory }: WorkerIdentity, worker: string): string {
  return join(directory, worker);
}
