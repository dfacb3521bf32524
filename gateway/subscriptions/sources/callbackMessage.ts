/** A message of `callbackSpec=1.0`. */
export interface CallbackMessage {
  readonly action: string;
  readonly verifier: string;
  /** A GraphQL result, for the action `next`. */
  readonly payload: unknown;
  /** For the action `complete`, if the subscription failed. */
  readonly errors: unknown;
}

/** Reads parsed JSON as a message for this id, or returns why it is malformed. */
export function readCallbackMessage(
  id: string,
  json: unknown,
): CallbackMessage | { readonly malformed: string } {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    return { malformed: 'The message is not a JSON object.' };
  }
  const message: Record<string, unknown> = { ...json };
  const { kind, action, verifier, payload, errors } = message;
  if (kind !== 'subscription') return { malformed: 'The `kind` of the message is not "subscription".' };
  if (message.id !== id) return { malformed: 'The `id` of the message is not the id in the URL.' };
  if (typeof verifier !== 'string') return { malformed: 'The `verifier` of the message is not a string.' };
  if (typeof action !== 'string') return { malformed: 'The `action` of the message is not a string.' };
  return { action, verifier, payload, errors };
}
