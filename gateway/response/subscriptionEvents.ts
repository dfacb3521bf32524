/** The payload of an event, or of a deferred part of one. */
export interface SubscriptionPayload {
  /** JSON text of a complete execution result, on one line: `data` at least, or `errors`. */
  readonly text: string;
  /** Set on the last payload of an event after which the client can resume. The text has the cursor as well, in
   *  `extensions.tributary.cursor`. */
  readonly cursor?: string | undefined;
}

/** Payloads that all subscribers of a shared subscription get at the same moment. Clients with equal transports share
 *  their encoded bytes. */
export class Broadcast {
  readonly payloads: readonly SubscriptionPayload[];
  readonly #encoded = new Map<object, unknown>();

  constructor(payloads: readonly SubscriptionPayload[]) {
    this.payloads = payloads;
  }

  /** The result of `encode`, which is called once for each `format`. */
  encodedAs<Format extends object, Encoded extends object>(
    format: Format,
    encode: (payloads: readonly SubscriptionPayload[], format: Format) => Encoded,
  ): Encoded {
    let encoded = this.#encoded.get(format) as Encoded | undefined;
    if (encoded === undefined) {
      encoded = encode(this.payloads, format);
      this.#encoded.set(format, encoded);
    }
    return encoded;
  }
}

/** Sends payloads to one client without the reader of its events. */
export interface DirectWriter {
  /** Sends payloads in one write. Returns false, and sends nothing, when bytes are waiting for the client. */
  write(broadcast: Broadcast): boolean;
}

/** The payloads of a subscription, in order, each created when it is read. The subscription ends with them; an error that
 *  they throw is the error of the subscription. `return()` ends the subscription, also while a `next()` is pending. */
export interface SubscriptionEvents extends AsyncIterable<SubscriptionPayload> {
  /** Sets what sends payloads while a `next()` is pending. What it sends is not read any more. What it does not send is read
   *  as always. A wrapper that has to see each payload omits this method. */
  setDirectWriter?(writer: DirectWriter): void;
}
