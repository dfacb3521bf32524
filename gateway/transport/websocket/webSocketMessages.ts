import { MessageType, type SubscribePayload } from 'graphql-ws';
import type { ResponseContent } from '../../response/executionOutcome.ts';
import { type OperationMessages, type WireMessage, wrapPayload } from '../streams/multiplexedOperation.ts';

/** Encodes the response to an operation as messages of `graphql-transport-ws`. */
export function operationMessagesOf(id: string): OperationMessages {
  return {
    next: (payload) => message(id, MessageType.Next, payload),
    complete: () => JSON.stringify({ id, type: MessageType.Complete }),
    fail: (errors) => [message(id, MessageType.Error, JSON.stringify(errors))],
  };
}

function message(id: string, type: MessageType, payload: ResponseContent): WireMessage {
  return wrapPayload(`{"id":${JSON.stringify(id)},"type":"${type}","payload":`, payload, '}');
}

/** The payload of `subscribe` as the body of a POST request. The protocol requires a `query`, so that clients send an
 *  empty one with the hash of a persisted query; it is removed here. */
export function requestBodyOf({ query, ...body }: SubscribePayload): Readonly<Record<string, unknown>> {
  const isHashAlone = query === '' && body.extensions?.persistedQuery !== undefined;
  return isHashAlone ? body : { query, ...body };
}
