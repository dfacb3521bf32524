import type { GraphQLFormattedError } from 'graphql';

/** How the payloads of one answer look in its body. What an encoding returns is the text of one write. */
export interface PayloadEncoding<Payload> {
  readonly contentType: string;
  /** Headers besides the usual ones. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Stands before everything else. */
  readonly opening: string;
  /** Whether the opening is sent at once, since it may take long until there is a payload. */
  readonly sendsOpeningImmediately: boolean;
  /** Shows that the connection lives; `undefined` where clients would stumble over it. */
  readonly heartbeat: string | undefined;
  /** A payload, whose JSON text is on one line; with the end of the body where it says that it is the last. */
  encode(payload: Payload): EncodedPayload;
  /** The end of the body where no payload said so. */
  end(): string;
  /** The error that the payloads broke off with, and the end of the body. */
  fail(error: GraphQLFormattedError): string;
  /** The end of the body when the gateway shuts down and the client is to come back; `fail` where it is missing. */
  readonly goAway?: string;
}

interface EncodedPayload {
  readonly text: string;
  readonly isLast: boolean;
}

/** Whether a payload of an incremental answer says that more follow. Its text ends with that, if it was made here: the
 *  last `"hasNext":…}` can then belong to nothing but the payload itself. */
export function hasNext(payload: string): boolean {
  if (payload.endsWith('"hasNext":true}')) return true;
  if (payload.endsWith('"hasNext":false}')) return false;
  const parsed: unknown = JSON.parse(payload);
  return typeof parsed === 'object' && parsed !== null && 'hasNext' in parsed && parsed.hasNext === true;
}
