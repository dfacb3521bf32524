import type { GatewayConfig } from '../config/schema.ts';
import type { GatewayAddresses } from '../transport/http/mountedGateway.ts';

/** Worker → supervisor: the worker receives messages, and needs the configuration. What is sent before is lost. */
interface StartedMessage {
  readonly kind: 'tributary:started';
}

/** Worker → supervisor: the worker has no supergraph, and does not accept connections until it has one or gets a
 *  `ListenMessage`. */
interface WaitingMessage {
  readonly kind: 'tributary:waiting';
}

/** Worker → supervisor: the worker has its first supergraph. */
interface ReadyMessage {
  readonly kind: 'tributary:ready';
}

/** Worker → supervisor: the worker accepts connections. */
interface ListeningMessage extends GatewayAddresses {
  readonly kind: 'tributary:listening';
}

/** Worker → supervisor: the response to a `PingMessage`. */
interface PongMessage {
  readonly kind: 'tributary:pong';
}

/** Supervisor → worker: respond, to show that your event loop runs. */
interface PingMessage {
  readonly kind: 'tributary:ping';
}

/** Supervisor → worker: the configuration, which only the supervisor reads. A worker that replaces another one would
 *  follow other rules than its siblings if the file has changed. */
interface ConfigurationMessage {
  readonly kind: 'tributary:configuration';
  readonly config: GatewayConfig;
}

/** Supervisor → worker: accept connections without a supergraph, because no other worker has one either. */
interface ListenMessage {
  readonly kind: 'tributary:listen';
}

/** Supervisor → worker: report yourself as not ready, and continue to serve. */
interface AnnounceMessage {
  readonly kind: 'tributary:announce';
}

/** Supervisor → worker: accept no more work, complete the running requests and exit. */
interface DrainMessage {
  readonly kind: 'tributary:drain';
}

export type MessageFromWorker =
  | StartedMessage
  | WaitingMessage
  | ReadyMessage
  | ListeningMessage
  | PongMessage;
export type MessageToWorker =
  | ConfigurationMessage
  | ListenMessage
  | AnnounceMessage
  | DrainMessage
  | PingMessage;

/** Whether a message comes from the other side's code, and not from Node or a library. */
export function isWorkerMessage(message: unknown): message is MessageFromWorker | MessageToWorker {
  return (
    typeof message === 'object' &&
    message !== null &&
    'kind' in message &&
    String(message.kind).startsWith('tributary:')
  );
}
