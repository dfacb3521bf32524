import { GatewayError } from '../errors.ts';
import type { SubscriptionPayload } from '../response/executionOutcome.ts';

/** Tells a client of something that is no event. */
export function createNotice(cause: GatewayError): SubscriptionPayload {
  return { text: JSON.stringify({ errors: [cause.toFormatted()] }) };
}

/** In the place of events for which there was no room. */
export function droppedEventsError(): GatewayError {
  return new GatewayError(
    'EVENTS_MISSED',
    'Events are missing here: they came faster than they were completed or taken, and the oldest were dropped (subscriptions.queue). Read on what you need by a query.',
  );
}

/** Where a subgraph was asked otherwise. */
export function resubscribedError(): GatewayError {
  return new GatewayError(
    'EVENTS_MISSED',
    'The schema has changed, and the subgraph was subscribed at anew: around here events may be missing, or come twice. Read on what you need by a query.',
  );
}
