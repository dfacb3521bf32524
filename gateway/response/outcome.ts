import type { GraphQLFormattedError } from 'graphql';

/** An answer's data, handed out once: as JSON text, or as the bytes of a whole answer that has nothing but data.
 *  The holder travels through promises in their place, so that a promise which lives as long as the request
 *  never keeps a big answer alive. */
export class ResponseText {
  #content: string | Buffer | undefined;

  /** Text of the data, or bytes that begin with `beforeData` and end with `afterData`. */
  constructor(content: string | Buffer) {
    this.#content = content;
  }

  /** The content as it was given. */
  take(): string | Buffer {
    const content = this.#content;
    if (content === undefined) throw new Error('The response text was taken before.');
    this.#content = undefined;
    return content;
  }

  /** The data with something before and after it. */
  takeWithin(before: string, after: string): string | Buffer {
    const content = this.take();
    if (typeof content === 'string') return `${before}${content}${after}`;
    if (before === beforeData && after === afterData) return content;
    return `${before}${content.toString('utf8', beforeData.length, content.length - afterData.length)}${after}`;
  }
}

export const beforeData = '{"data":';
export const afterData = '}';

/** What the pipeline answers. */
export type ExecutionOutcome = SingleOutcome | IncrementalOutcome;

export interface SingleOutcome {
  readonly kind: 'single';
  /** Absent where nothing was executed. */
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
