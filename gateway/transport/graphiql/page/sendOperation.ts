import { meros } from 'meros/browser';

export interface OperationBody {
  readonly query: string;
  readonly variables?: unknown;
  readonly operationName?: string | null | undefined;
}

/** A response, or one payload of it. */
export interface Payload {
  readonly data?: unknown;
  readonly errors?: readonly unknown[];
  readonly extensions?: Extensions;
  readonly hasNext?: boolean;
  readonly incremental?: readonly IncrementalPart[];
}

interface IncrementalPart {
  readonly label?: string;
  readonly path?: readonly (string | number)[];
  readonly data?: unknown;
  readonly errors?: readonly unknown[];
  readonly extensions?: Extensions;
}

type Extensions = Readonly<Record<string, unknown>>;

interface SendOptions {
  readonly headers: Readonly<Record<string, string>>;
  readonly isSubscription: boolean;
  readonly signal: AbortSignal;
  onPayload(payload: Payload): void;
}

/** Sends an operation to the address of the page, subscriptions too: so its headers arrive with every operation. Resolves
 *  when the answer has ended.
 *  @throws {Error} when the answer is no answer of a GraphQL server. */
export async function sendOperation(
  body: OperationBody,
  { headers, isSubscription, signal, onPayload }: SendOptions,
): Promise<void> {
  const sentHeaders = new Headers({
    'content-type': 'application/json',
    accept: `multipart/mixed;${isSubscription ? 'subscriptionSpec=1.0' : 'deferSpec=20220824'}, application/graphql-response+json;q=0.9, application/json;q=0.8`,
  });
  // Names are equal in any case: `Accept` replaces `accept`.
  for (const [name, value] of Object.entries(headers)) sentHeaders.set(name, value);
  const response = await fetch(location.pathname, {
    method: 'POST',
    headers: sentHeaders,
    body: JSON.stringify(body),
    signal,
  });
  const parts = await meros<Payload & { readonly payload?: Payload | null }>(response);
  if (parts instanceof Response) {
    const text = await parts.text();
    onPayload(parsePayload(text, parts.status));
    return;
  }
  for await (const part of parts) {
    if (!part.json) throw new Error(`The gateway sent a part that is not JSON: ${part.body}`);
    const { payload, ...own } = part.body;
    // Apollo's multipart protocol: heartbeats are empty, and errors beside `payload` end the subscription.
    const sent = isSubscription ? (payload ?? (own.errors && own)) : own;
    if (sent) onPayload(sent);
  }
}

function parsePayload(text: string, status: number): Payload {
  try {
    return JSON.parse(text) as Payload;
  } catch {
    throw new Error(`The gateway answered with status ${status} and no JSON: ${text}`);
  }
}
