import { GatewayError } from '../errors.ts';
import type { SubscriptionPayload } from '../response/subscriptionEvents.ts';

/** Creates a payload that reports an error between events. */
export function createNotice(cause: GatewayError): SubscriptionPayload {
  return { text: JSON.stringify({ errors: [cause.toFormatted()] }) };
}

/** Replaces events that were dropped because a queue was full. */
export const droppedEventsError = new GatewayError(
  'EVENTS_MISSED',
  'Events are missing here: they arrived faster than they were completed or read, and the oldest were dropped (subscriptions.queue). Query the current state.',
);

/** Reported where the subgraph accepted a subscription again. Clients that have read the state before may lack events. */
export const endOfInterruptionError = new GatewayError(
  'EVENTS_MISSED',
  'The subgraph was not available, and the gateway has subscribed to it again: events up to here may be missing. Query the current state.',
);

/** Reported where the gateway switched to a new subscription at the subgraph, because the query plan changed. */
export const resubscribedError = new GatewayError(
  'EVENTS_MISSED',
  'The schema changed, and the gateway subscribed to the subgraph again: events may be missing here, or arrive twice. Query the current state.',
);
