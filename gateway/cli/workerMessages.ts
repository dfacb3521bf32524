import type { Addresses } from './addresses.ts';

/** Worker → supervisor: the worker accepts requests. */
export interface ListeningMessage extends Addresses {
  readonly kind: 'tributary:listening';
}

/** Supervisor → worker: report yourself as not ready, and continue to serve. */
export interface AnnounceMessage {
  readonly kind: 'tributary:announce';
}

/** Supervisor → worker: accept no more work, complete the running requests and exit. */
export interface DrainMessage {
  readonly kind: 'tributary:drain';
}

type WorkerMessage = ListeningMessage | AnnounceMessage | DrainMessage;

export function isWorkerMessage<Message extends WorkerMessage>(
  message: unknown,
  kind: Message['kind'],
): message is Message {
  return typeof message === 'object' && message !== null && 'kind' in message && message.kind === kind;
}
