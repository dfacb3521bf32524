import type { CallbackReceiver } from './callbackReceiver.ts';

/** One receiver for the messages of several: each gets those with its ids. */
export function combineCallbackReceivers(...receivers: readonly CallbackReceiver[]): CallbackReceiver {
  const whoKnows = (id: string) => receivers.find((receiver) => receiver.isKnown(id));
  return {
    isKnown: (id) => whoKnows(id) !== undefined,
    receive: (id, message, size) => whoKnows(id)?.receive(id, message, size) ?? 'unknown',
  };
}
