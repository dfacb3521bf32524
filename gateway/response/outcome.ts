import type { GraphQLFormattedError } from 'graphql';

/** JSON text that is handed out once. The holder travels through promises in the text's place, so that
 *  a promise which lives as long as the request never keeps a big answer alive. */
export class ResponseText {
  #text: string | undefined;

  constructor(text: string) {
    this.#text = text;
  }

  take(): string {
    const text = this.#text;
    if (text === undefined) throw new Error('The response text was taken before.');
    this.#text = undefined;
    return text;
  }
}

/** What the pipeline answers. */
export type ExecutionOutcome = SingleOutcome | IncrementalOutcome;

export interface SingleOutcome {
  readonly kind: 'single';
  /** JSON text of `data`'s value; absent where nothing was executed. */
  readonly data: ResponseText | undefined;
  /** Already masked for the client; absent instead of empty. */
  readonly errors: readonly GraphQLFormattedError[] | undefined;
  readonly extensions: Readonly<Record<string, unknown>> | undefined;
}

export interface IncrementalOutcome {
  readonly kind: 'incremental';
  /** Batches of complete payloads (JSON texts) in the client's format, the first payload first. The payloads
   *  of one batch belong into one write. `return()` ends all work that nobody else needs. */
  readonly payloads: AsyncIterable<readonly string[]>;
}
