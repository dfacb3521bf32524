import type { GraphQLFormattedError } from 'graphql';
import type { ResponseCaching } from './responseCaching.ts';
import type { SubscriptionEvents } from './subscriptionEvents.ts';

/** The content of a response: text, or bytes that may be in chunks. */
export type ResponseContent = string | Buffer | readonly Buffer[];

/** The data of a response, which can be taken once: as JSON text, or as the bytes of a whole response that has only
 *  data. Promises resolve with the holder instead of the data, so that a promise that lives as long as the request
 *  does not keep a large response in memory. */
export class ResponseData {
  #content: ResponseContent | undefined;
  /** The chunks begin with the errors of the response. */
  readonly #hasErrors: boolean;

  /** `content`: text of the data; bytes that begin with `dataPrefix` and end with `dataSuffix`; or the bytes of the data in
   *  chunks. `hasErrors`: the chunks begin with the errors of the response, up to `"data":`. */
  constructor(content: ResponseContent, { hasErrors = false } = {}) {
    this.#content = content;
    this.#hasErrors = hasErrors;
  }

  /** Whether the data is `null`. To be read before the content is taken. */
  get isNull(): boolean {
    const content = this.#content;
    if (typeof content === 'string') return content === 'null';
    // Data in chunks is an object, which ends with a brace, or null.
    return Array.isArray(content) && content.at(-1)?.at(-1) === 'l'.charCodeAt(0);
  }

  /** Returns the same data for another response. To be called before the content is taken. */
  copy(): ResponseData {
    return new ResponseData(this.#content as ResponseContent, { hasErrors: this.#hasErrors });
  }

  /** The content as it was given. */
  take(): ResponseContent {
    const content = this.#content;
    if (content === undefined) throw new Error('The response text was taken before.');
    this.#content = undefined;
    return content;
  }

  /** The data between two texts. */
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

/** In bytes. */
export function sizeOfContent(content: ResponseContent): number {
  if (typeof content === 'string') return Buffer.byteLength(content);
  return Buffer.isBuffer(content) ? content.length : content.reduce((sum, { length }) => sum + length, 0);
}

export function contentToText(content: ResponseContent): string {
  if (typeof content === 'string') return content;
  return (Buffer.isBuffer(content) ? content : Buffer.concat(content)).toString();
}

export const dataPrefix = '{"data":';
export const dataSuffix = '}';

/** The result of an operation. */
export type ExecutionOutcome = SingleOutcome | IncrementalOutcome | SubscriptionOutcome;

export interface SingleOutcome {
  readonly kind: 'single';
  /** Absent when nothing was executed. */
  readonly data: ResponseData | undefined;
  /** As the client may see them; absent instead of empty. If there are very many, only the first ones: then `data` has all
   *  of them as text. */
  readonly errors: readonly GraphQLFormattedError[] | undefined;
  readonly extensions: Readonly<Record<string, unknown>> | undefined;
  /** How long the client may cache the response; `undefined` for not at all, as for every response with errors. */
  readonly caching: ResponseCaching | undefined;
}

export interface IncrementalOutcome {
  readonly kind: 'incremental';
  /** Batches of complete payloads (JSON texts) in the client's format. The payloads of one batch belong into one write.
   *  `return()` ends the execution. */
  readonly payloads: AsyncIterable<readonly string[]>;
  /** The errors in the first payload, as the client may see them; `undefined` instead of empty. */
  readonly firstErrors: readonly GraphQLFormattedError[] | undefined;
  /** Whether a payload that was created so far has errors. */
  hasErrors(): boolean;
  /** Whether the last payload was created. */
  isComplete(): boolean;
}

export interface SubscriptionOutcome {
  readonly kind: 'subscription';
  readonly events: SubscriptionEvents;
}
