/** A message of `callbackSpec=1.0` with all that every one of them has; the rest depends on its action. */
export interface CallbackMessage {
  readonly action: string;
  readonly verifier: string;
  /** Of `next`: a GraphQL result. */
  readonly payload: unknown;
  /** Of `complete`, where it ends with errors. */
  readonly errors: unknown;
}

/** Takes parsed JSON for a message with this id, or says why it is none. */
export function readCallbackMessage(
  id: string,
  json: unknown,
): CallbackMessage | { readonly malformed: string } {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    return { malformed: 'The message is no JSON object.' };
  }
  const message: Record<string, unknown> = { ...json };
  const { kind, action, verifier, payload, errors } = message;
  if (kind !== 'subscription') return { malformed: 'The `kind` of the message is not "subscription".' };
  if (message.id !== id) return { malformed: 'The `id` of the message is not that of the address.' };
  if (typeof verifier !== 'string') return { malformed: 'The `verifier` of the message is no text.' };
  if (typeof action !== 'string') return { malformed: 'The `action` of the message is no text.' };
  return { action, verifier, payload, errors };
}
