import cluster from 'node:cluster';
import type { WorkerPlace } from '../transport/workers/workerPlace.ts';
import type { Addresses } from './addresses.ts';

/** Worker → supervisor: requests are taken from now on. */
export interface ListeningMessage extends Addresses {
  readonly kind: 'tributary:listening';
}

/** Supervisor → worker: take no more requests, end those that are under way, leave. */
export interface DrainMessage {
  readonly kind: 'tributary:drain';
}

const directoryVariable = 'TRIBUTARY_WORKERS_DIRECTORY';

/** What a worker finds in its environment. */
export function workerEnvironment(directory: string): Record<string, string> {
  return { [directoryVariable]: directory };
}

/** Of this process, which is a worker. Its number is given to no other one, also not in its place. */
export function readWorkerPlace(): WorkerPlace {
  const { [directoryVariable]: directory } = process.env;
  if (cluster.worker === undefined || directory === undefined) {
    throw new Error('A worker is started by its supervisor only.');
  }
  return { name: String(cluster.worker.id), directory };
}

export function isMessage<Message extends ListeningMessage | DrainMessage>(
  message: unknown,
  kind: Message['kind'],
): message is Message {
  return typeof message === 'object' && message !== null && 'kind' in message && message.kind === kind;
}
