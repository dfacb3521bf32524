/** What one client reads from its connection. */
export interface EventDecoder {
  /** The bytes that open the subscription. */
  readonly request: Buffer;
  /** Whether what came so far ends with an event, and the next byte begins another. */
  readonly isAtEventBoundary: boolean;
  /** Whether the gateway has taken the client. */
  readonly isOpen: boolean;
  /** Takes the next bytes. @returns payloads that are complete with them. @throws when the subscription is over */
  push(bytes: Buffer, reply: (bytes: Buffer) => void): unknown[];
}

export interface DecoderOptions {
  readonly url: URL;
  readonly query: string;
}

/** Status and the rest behind a head; undefined while it is incomplete. Text is one character per byte. */
export function splitHead(text: string): { readonly status: number; readonly rest: string } | undefined {
  const end = text.indexOf('\r\n\r\n');
  return end < 0 ? undefined : { status: Number(text.slice(9, 12)), rest: text.slice(end + 4) };
}
