import type { Addresses } from './addresses.ts';

/** Worker → supervisor: the worker accepts requests. */
export interface ListeningMessage extends Addresses {
  readonly kind: 'tributary:listening';
}

/** Supervisor → worker: accept no more requests, complete the running ones and exit. */
export interface DrainMessage {
  readonly kind: 'tributary:drain';
}

export function isWorkerMessage<Message extends ListeningMessage | DrainMessage>(
  message: unknown,
  kind: Message['kind'],
): message is Message {
  return typeof message === 'object' && message !== null && 'kind' in message && message.kind === kind;
}
