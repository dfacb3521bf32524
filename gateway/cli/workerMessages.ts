import type { Addresses } from './addresses.ts';

/** Worker → supervisor: requests are taken from now on. */
export interface ListeningMessage extends Addresses {
  readonly kind: 'tributary:listening';
}

/** Supervisor → worker: take no more requests, end those that are under way, leave. */
export interface DrainMessage {
  readonly kind: 'tributary:drain';
}

export function isWorkerMessage<Message extends ListeningMessage | DrainMessage>(
  message: unknown,
  kind: Message['kind'],
): message is Message {
  return typeof message === 'object' && message !== null && 'kind' in message && message.kind === kind;
}
