/** What happened to a message. `checked`, `accepted` (an event) and `completed`: the three kinds of valid messages.
 *  `unknown`: no running subscription has this id. `forbidden`: the verifier is wrong. */
export type CallbackOutcome =
  | 'checked'
  | 'accepted'
  | 'completed'
  | 'unknown'
  | 'forbidden'
  | { readonly malformed: string };

/** Receives the messages that subgraphs POST for their subscriptions. */
export interface CallbackReceiver {
  /** Whether a running subscription has this id. Messages with other ids need not be read. */
  isKnown(id: string): boolean;
  /** `message`: parsed JSON of `size` bytes. Messages of one id are passed in order, except checks. Returns a promise if
   *  the subgraph should wait before it sends the next event. */
  receive(id: string, message: unknown, size: number): CallbackOutcome | Promise<CallbackOutcome>;
  /** Whether this is the verifier of the id. Ids are in URLs, which logs and proxies have, so they prove nothing. */
  isVerifier(id: string, verifier: unknown): boolean;
  /** Ends the subscription with this id, of which a message was too large to be read, because it would lose an event
   *  otherwise. */
  failTooLarge(id: string): void;
}

/** Maximum bytes of a message besides its event. */
export const callbackEnvelopeBytes = 256;

/** Maximum bytes of a callback body. An event over `maxEventBytes` ends its subscription. Bodies up to twice the size are
 *  read, so that the verifier is checked before; of larger ones, the beginning and the end are. */
export function maxCallbackBodyBytes(maxEventBytes: number): number {
  return 2 * maxEventBytes + callbackEnvelopeBytes;
}

/** The URL to which a subgraph POSTs the messages of one subscription. `base`: an absolute URL, optionally with a path. */
export function buildCallbackUrl(base: string, id: string): string {
  return `${base.replace(/\/+$/, '')}/callback/${id}`;
}

/** Combines several receivers: each one gets the messages with its own ids. */
export function combineCallbackReceivers(...receivers: readonly CallbackReceiver[]): CallbackReceiver {
  const ownerOf = (id: string) => receivers.find((receiver) => receiver.isKnown(id));
  return {
    isKnown: (id) => ownerOf(id) !== undefined,
    receive: (id, message, size) => ownerOf(id)?.receive(id, message, size) ?? 'unknown',
    isVerifier: (id, verifier) => ownerOf(id)?.isVerifier(id, verifier) === true,
    failTooLarge: (id) => ownerOf(id)?.failTooLarge(id),
  };
}
