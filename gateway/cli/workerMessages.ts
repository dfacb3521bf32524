import type { Addresses } from './addresses.ts';

/** Worker → supervisor: the worker has no supergraph, and does not accept connections until it has one or gets a
 *  `ListenMessage`. */
export interface WaitingMessage {
  readonly kind: 'tributary:waiting';
}

/** Worker → supervisor: the worker has its first supergraph. */
export interface ReadyMessage {
  readonly kind: 'tributary:ready';
}

/** Worker → supervisor: the worker accepts connections. */
export interface ListeningMessage extends Addresses {
  readonly kind: 'tributary:listening';
}

/** Supervisor → worker: accept connections without a supergraph, because no other worker has one either. */
export interface ListenMessage {
  readonly kind: 'tributary:listen';
}

/** Supervisor → worker: report yourself as not ready, and continue to serve. */
export interface AnnounceMessage {
  readonly kind: 'tributary:announce';
}

/** Supervisor → worker: accept no more work, complete the running requests and exit. */
export interface DrainMessage {
  readonly kind: 'tributary:drain';
}

export type MessageFromWorker = WaitingMessage | ReadyMessage | ListeningMessage;
export type MessageToWorker = ListenMessage | AnnounceMessage | DrainMessage;

/** Whether a message comes from the other side's code, and not from Node or a library. */
export function isWorkerMessage(message: unknown): message is MessageFromWorker | MessageToWorker {
  return (
    typeof message === 'object' &&
    message !== null &&
    'kind' in message &&
    String(message.kind).startsWith('tributary:')
  );
}
