import type { GraphQLFormattedError } from 'graphql';

/** Encodes the payloads of one response as the text of its body. Each text is sent in one write. */
export interface PayloadEncoding<Payload> {
  readonly contentType: string;
  /** Headers in addition to those of every response. */
  readonly headers?: Readonly<Record<string, string>>;
  /** The start of the body. */
  readonly opening: string;
  /** Whether the opening is sent before the first payload, which may take long to arrive. */
  readonly sendsOpeningImmediately: boolean;
  /** Sent on an idle connection; `undefined` when clients of this format misread such a text. */
  readonly heartbeat: string | undefined;
  /** Encodes a payload, whose JSON text is on one line. Appends the end of the body to the last payload. */
  encode(payload: Payload): EncodedPayload;
  /** The end of the body after payloads none of which said that it was the last. */
  end(): string;
  /** An error that ended the payloads, and the end of the body. */
  fail(error: GraphQLFormattedError): string;
  /** The end of the body when the gateway shuts down, such that the client connects again. Without it, `fail` is sent. */
  readonly goAway?: string;
}

interface EncodedPayload {
  readonly text: string;
  readonly isLast: boolean;
}

/** Whether more payloads follow this one of an incremental response. The gateway writes `hasNext` last, so that the end of
 *  the text decides; a text of another origin is parsed. */
export function hasNext(payload: string): boolean {
  if (payload.endsWith('"hasNext":true}')) return true;
  if (payload.endsWith('"hasNext":false}')) return false;
  const parsed: unknown = JSON.parse(payload);
  return typeof parsed === 'object' && parsed !== null && 'hasNext' in parsed && parsed.hasNext === true;
}
