/** What became of a message: `checked`, `taken` (an event) and `completed` are its three kinds, well received;
 *  `unknown`: no subscription has this id, or not any more; `forbidden`: its verifier is wrong. */
export type CallbackOutcome =
  | 'checked'
  | 'taken'
  | 'completed'
  | 'unknown'
  | 'forbidden'
  | { readonly malformed: string };

/** Takes what subgraphs POST for their subscriptions. */
export interface CallbackReceiver {
  /** Whether a message with this id is worth reading. */
  isKnown(id: string): boolean;
  /** `message`: parsed JSON, of `size` bytes. Messages of one id in their order, besides checks. A promise
   *  where the subgraph is to wait for the answer, and with the next event. */
  receive(id: string, message: unknown, size: number): CallbackOutcome | Promise<CallbackOutcome>;
}

/** What a message holds besides its event, bytes. */
export const callbackEnvelopeBytes = 256;

/** Largest body that is worth reading, in bytes. An event that is too large ends its own subscription, for which its
 *  verifier has to be read; one that is far too large is refused unread. */
export function maxCallbackBodyBytes(maxEventBytes: number): number {
  return 2 * maxEventBytes + callbackEnvelopeBytes;
}

/** Where a subgraph POSTs the messages of one subscription. `base`: absolute, perhaps with a path. */
export function buildCallbackUrl(base: string, id: string): string {
  return `${base.replace(/\/+$/, '')}/callback/${id}`;
}
