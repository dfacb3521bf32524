/** Decodes the events on one client's connection. */
export interface EventDecoder {
  /** The bytes that open the subscription. */
  readonly request: Buffer;
  /** Whether the bytes so far end with a complete event. */
  readonly isAtEventBoundary: boolean;
  /** Whether the gateway has accepted the client. */
  readonly isOpen: boolean;
  /** Decodes the next bytes and returns the payloads that they complete. @throws {Error} when the subscription
   *  ends */
  push(bytes: Buffer, reply: (bytes: Buffer) => void): unknown[];
}

export interface DecoderOptions {
  readonly url: URL;
  readonly query: string;
}

/** Splits status and remaining bytes after a head; `undefined` while the head is incomplete. One character per
 *  byte. */
export function splitHead(text: string): { readonly status: number; readonly rest: string } | undefined {
  const end = text.indexOf('\r\n\r\n');
  return end < 0 ? undefined : { status: Number(text.slice(9, 12)), rest: text.slice(end + 4) };
}
