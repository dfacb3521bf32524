import type { ServerResponse } from 'node:http';
import { setImmediate } from 'node:timers/promises';
import type { GraphQLFormattedError } from 'graphql';
import { partsOf } from '../../json/stringifyInSlices.ts';
import type { IncrementalFormat } from '../../operation/request.ts';
import type { AnswerHeaders } from './answer.ts';
import { ClientGone } from './refusal.ts';

export interface MultipartOptions {
  readonly format: IncrementalFormat;
  readonly headers: AnswerHeaders;
  /** Bytes that may wait for a client that reads slowly before the next payloads are asked for. */
  readonly bufferSize: number;
  /** Milliseconds that they may wait without any of them being taken; then the connection is closed. */
  readonly readTimeout: number;
  /** Ends the stream: silently when the reason is `ClientGone`, else with a last payload that tells why. */
  readonly signal: AbortSignal;
  /** The error that the client gets when the payloads throw, or when the signal ends them. */
  readonly formatFailure: (reason: unknown) => GraphQLFormattedError;
}

/** The payloads threw before the first one. Nothing is written, the head neither. */
export class NoPayload extends Error {
  constructor(cause: unknown) {
    super('The payloads ended before the first one.', { cause });
    this.name = 'NoPayload';
  }
}

/** Writes payloads as `multipart/mixed`, each batch in one write. Whatever happens to the payloads, the body
 *  ends properly: a client drops all it has got when the closing delimiter is missing. Resolves when all is
 *  written or the client is gone, without waiting for `return()` of the payloads. */
export async function writeMultipart(
  response: ServerResponse,
  payloads: AsyncIterable<readonly string[]>,
  options: MultipartOptions,
): Promise<void> {
  const { signal } = options;
  const iterator = payloads[Symbol.asyncIterator]();
  const aborted = Promise.withResolvers<'aborted'>();
  // At once and not after the pending batch, which may be what takes so long.
  const onAbort = (): void => {
    endEarly(iterator);
    aborted.resolve('aborted');
  };
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();

  const body = new MultipartBody(response, options);
  try {
    while (!body.hasEnded) {
      const step = signal.aborted ? 'aborted' : await Promise.race([iterator.next(), aborted.promise]);
      if (step === 'aborted') {
        if (!(signal.reason instanceof ClientGone)) throw signal.reason;
        return;
      }
      if (step.done === true) {
        body.write([JSON.stringify({ hasNext: false })]);
        return;
      }
      const chunk = body.chunkOf(step.value);
      if (chunk.length > longChunk) await body.sendLong(chunk);
      else body.send(chunk);
      if (!body.hasEnded && response.writableNeedDrain && response.writableLength > options.bufferSize) {
        // A reader that takes nothing for that long is gone.
        response.socket?.setTimeout(options.readTimeout);
        await Promise.race([drained(response), aborted.promise]);
        response.socket?.setTimeout(0);
      }
    }
    endEarly(iterator);
  } catch (error) {
    if (!body.hasBegun) throw new NoPayload(error);
    // Without `incremental` and ids: both formats' readers take the errors and keep the data they have.
    body.write([JSON.stringify({ errors: [options.formatFailure(error)], hasNext: false })]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

/** Writes an answer in one piece for a client that takes multipart only. */
export function writeSinglePart(
  response: ServerResponse,
  options: Pick<MultipartOptions, 'format' | 'headers'>,
  answer: string,
): void {
  new MultipartBody(response, options).write([`${answer.slice(0, -1)},"hasNext":false}`]);
}

class MultipartBody {
  hasBegun = false;
  hasEnded = false;
  readonly #response: ServerResponse;
  readonly #options: Pick<MultipartOptions, 'format' | 'headers'>;

  constructor(response: ServerResponse, options: Pick<MultipartOptions, 'format' | 'headers'>) {
    this.#response = response;
    this.#options = options;
  }

  write(payloads: readonly string[]): void {
    this.send(this.chunkOf(payloads));
  }

  /** What these payloads are on the wire. Clients take a part when they see the delimiter after it, so that belongs
   *  into the same write. */
  chunkOf(payloads: readonly string[]): string {
    if (this.hasEnded || payloads.length === 0) return '';
    let chunk = '';
    if (!this.hasBegun) {
      this.hasBegun = true;
      const { headers, format } = this.#options;
      headers['content-type'] = `multipart/mixed; boundary="-"; ${format}`;
      this.#response.writeHead(200, headers);
      chunk = '\r\n---\r\n';
    }
    for (const payload of payloads) {
      this.hasEnded = !hasNext(payload);
      chunk += `content-type: application/json; charset=utf-8\r\n\r\n${payload}\r\n---${this.hasEnded ? '--' : ''}\r\n`;
      if (this.hasEnded) break;
    }
    return chunk;
  }

  send(chunk: string): void {
    if (chunk === '') return;
    if (this.hasEnded) this.#response.end(chunk);
    else this.#response.write(chunk);
  }

  /** The same in several writes, with others having their turn in between: to encode some megabytes takes a while. */
  async sendLong(chunk: string): Promise<void> {
    for (const part of partsOf(chunk)) {
      if (this.#response.destroyed) return;
      this.#response.write(part);
      await setImmediate();
    }
    if (this.hasEnded) this.#response.end();
  }
}

/** Characters of a chunk that is sent in several writes. */
const longChunk = 1024 * 1024;

/** Whether a payload says that more follow. Its text ends with that, if it was made here: the last
 *  `"hasNext":…}` can then belong to nothing but the payload itself. */
function hasNext(payload: string): boolean {
  if (payload.endsWith('"hasNext":true}')) return true;
  if (payload.endsWith('"hasNext":false}')) return false;
  const parsed: unknown = JSON.parse(payload);
  return typeof parsed === 'object' && parsed !== null && 'hasNext' in parsed && parsed.hasNext === true;
}

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => response.once('drain', resolve));
}

function endEarly(iterator: AsyncIterator<unknown>): void {
  // What goes wrong while work ends that nobody waits for concerns nobody.
  iterator.return?.().then(undefined, () => undefined);
}
