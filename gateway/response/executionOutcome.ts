import type { GraphQLFormattedError } from 'graphql';
import type { ResponseCaching } from './responseCaching.ts';

/** A whole answer: text, or bytes that may be in parts. */
export type ResponseContent = string | Buffer | readonly Buffer[];

/** An answer's data, handed out once: as JSON text, or as the bytes of a whole answer that has nothing but data.
 *  The holder travels through promises in their place, so that a promise which lives as long as the request
 *  never keeps a big answer alive. */
export class ResponseData {
  #content: ResponseContent | undefined;
  /** In front of the data, the parts have the answer's errors already. */
  readonly #hasErrors: boolean;

  /** Text of the data; bytes that begin with `dataPrefix` and end with `dataSuffix`; or the data's bytes in parts.
   *  `hasErrors`: the parts begin with those of the answer's errors, up to `"data":`. */
  constructor(content: ResponseContent, { hasErrors = false } = {}) {
    this.#content = content;
    this.#hasErrors = hasErrors;
  }

  /** The content as it was given. */
  take(): ResponseContent {
    const content = this.#content;
    if (content === undefined) throw new Error('The response text was taken before.');
    this.#content = undefined;
    return content;
  }

  /** The data with something before and after it. */
  takeWrapped(before: string, after: string): ResponseContent {
    const content = this.take();
    if (typeof content === 'string') return `${before}${content}${after}`;
    if (!Buffer.isBuffer(content)) {
      return [...(this.#hasErrors ? [] : [Buffer.from(before)]), ...content, Buffer.from(after)];
    }
    if (before === dataPrefix && after === dataSuffix) return content;
    return `${before}${content.toString('utf8', dataPrefix.length, content.length - dataSuffix.length)}${after}`;
  }
}

export function contentToText(content: ResponseContent): string {
  if (typeof content === 'string') return content;
  return (Buffer.isBuffer(content) ? content : Buffer.concat(content)).toString();
}

export const dataPrefix = '{"data":';
export const dataSuffix = '}';

/** What the pipeline answers. */
export type ExecutionOutcome = SingleOutcome | IncrementalOutcome | SubscriptionOutcome;

export interface SingleOutcome {
  readonly kind: 'single';
  /** Absent where nothing was executed. */
  readonly data: ResponseData | undefined;
  /** Already masked for the client; absent instead of empty. Of very many, which then stand in `data` as text, only
   *  the first ones. */
  readonly errors: readonly GraphQLFormattedError[] | undefined;
  readonly extensions: Readonly<Record<string, unknown>> | undefined;
  /** How long the client may keep it; `undefined` for not at all, as with every answer that has errors. */
  readonly caching: ResponseCaching | undefined;
}

export interface IncrementalOutcome {
  readonly kind: 'incremental';
  /** Batches of complete payloads (JSON texts) in the client's format, the first payload first. The payloads
   *  of one batch belong into one write. `return()` ends all work that nobody else needs. */
  readonly payloads: AsyncIterable<readonly string[]>;
}

export interface SubscriptionOutcome {
  readonly kind: 'subscription';
  /** In order, and made as they are asked for. The end of them is the end of the subscription; what they throw is its
   *  error. `return()`, also while a `next()` is pending, ends all work that nobody else needs. */
  readonly events: AsyncIterable<SubscriptionPayload>;
}

/** What a client gets for an event, or for a deferred part of one. */
export interface SubscriptionPayload {
  /** JSON text of a complete execution result, on one line: `data` at least, or `errors`. */
  readonly text: string;
  /** With the last payload of an event after which the client may later ask to go on. The text has it as well, in
   *  `extensions.tributary.cursor`. */
  readonly cursor?: string | undefined;
}
