import { isAscii, isUtf8 } from 'node:buffer';
import { GatewayError, memoryFullError } from '../errors.ts';
import { mayHaveLongNumber, parseExactJson } from '../json/exactJson.ts';
import { isNestedDeeperThan, maxUncheckedDepth } from '../json/isNestedDeeperThan.ts';
import { isObject } from '../json/isObject.ts';
import { parseJsonInSlices } from '../json/parseJsonInSlices.ts';
import { isOldGenerationFull } from '../memory/oldGeneration.ts';
import { runInSlices, type SlicedTask } from '../time/slicedTask.ts';
import { InvalidResponseError, invalidResponseError, statusError } from './callErrors.ts';
import { mediaTypeOf } from './mediaType.ts';
import type { SubgraphErrorEntry, SubgraphResponse } from './subgraphClient.ts';

const backslash = 0x5c;
const byteOrderMark = [0xef, 0xbb, 0xbf] as const;

/** Larger bodies are stored as bytes and parsed in slices. Smaller ones take a few milliseconds at most. */
export const largeBodyBytes = 512 * 1024;

/** Parsing a larger body takes far longer than looking at the memory. Many of them may be in use at the same time. */
const uncheckedBodyBytes = 64 * 1024;

/** How deep a large body may nest: JSON.stringify takes a minute for 10 MB of nested brackets. */
const maxLargeBodyDepth = 1000;

/** Reading a long list of errors yields after this many. */
const errorsPerSlice = 500;

export interface BufferedResponseHead {
  readonly status: number;
  readonly contentType: string | undefined;
  readonly cacheControl: string | undefined;
  readonly age: string | undefined;
  /** See `SubgraphResponse.clientHeaders`. */
  readonly clientHeaders: readonly string[] | undefined;
}

/** A complete response of a subgraph. It is parsed for each receiver, because receivers may change the result. */
export class BufferedResponse {
  readonly #subgraph: string;
  readonly #head: BufferedResponseHead;
  /** The body, as text if it is small; or why it is invalid. */
  readonly #content: string | Buffer | Error;
  readonly #isEscapeFree: boolean;
  readonly #keepsDecimals: boolean;
  readonly #mayHaveLongNumber: boolean;

  /** `body`: after decompression, or why decompression failed. `keepsDecimals`: see `SubgraphRequest`. */
  constructor(subgraph: string, head: BufferedResponseHead, body: Buffer | Error, keepsDecimals = true) {
    this.#subgraph = subgraph;
    this.#head = head;
    this.#content = Buffer.isBuffer(body) ? decode(body) : body;
    this.#isEscapeFree = Buffer.isBuffer(body) && body.indexOf(backslash) === -1;
    this.#keepsDecimals = keepsDecimals;
    this.#mayHaveLongNumber = typeof this.#content === 'string' && mayHaveLongNumber(body as Buffer);
  }

  /** A successful response with another body and the same headers. `text`: a GraphQL result as JSON. */
  replaceBody(text: string): BufferedResponse {
    const head = { ...this.#head, status: 200, contentType: undefined };
    return new BufferedResponse(this.#subgraph, head, Buffer.from(text), this.#keepsDecimals);
  }

  /** See `CallResponse`. */
  read(done: (response: SubgraphResponse | GatewayError) => void): () => void {
    const content = this.#content;
    if (typeof content === 'string' && content.length > uncheckedBodyBytes && isOldGenerationFull()) {
      done(memoryFullError(this.#subgraph));
      return stopNothing;
    }
    const json = typeof content === 'string' ? this.#parseText(content) : undefined;
    // Nearly all responses are small, and have data and no errors.
    if (isSuccess(this.#head) && isObject(json) && isObject(json.data) && json.errors === undefined) {
      const { data } = json;
      const read = { data, errors: undefined, extensions: readExtensions(json.extensions) };
      done(this.#responseOf(read));
      return stopNothing;
    }
    return runInSlices(
      this.#parse(json),
      (response) => done(this.#resultOf(response)),
      (fault) =>
        done(this.#resultOf(fault instanceof Error ? fault : new InvalidResponseError(String(fault)))),
    );
  }

  #resultOf(response: SubgraphResponse | Error): SubgraphResponse | GatewayError {
    if (!(response instanceof Error) || response instanceof GatewayError) return response;
    return isSuccess(this.#head)
      ? invalidResponseError(this.#subgraph, response)
      : statusError(this.#subgraph, this.#head.status, response);
  }

  /** `text`: what `parseText` has returned for a small body. */
  *#parse(text: unknown): SlicedTask<SubgraphResponse | Error> {
    if (this.#head.status >= 300 && this.#head.status < 400)
      return new InvalidResponseError(
        'redirects are not followed: set the url of the subgraph to the new address',
      );
    const content = this.#content;
    if (content instanceof Error) return content;
    const json = typeof content === 'string' ? text : yield* this.#parseBytes(content);
    if (json instanceof GatewayError) return json;
    if (json instanceof Error) return this.#describeInvalidJson(json);
    const result = yield* readResult(json);
    if (result instanceof Error) return result;
    // A proxy may report a failure as JSON of its own. JSON counts as the subgraph's response only if its media type or its
    // content says so.
    if (
      !isSuccess(this.#head) &&
      !isGraphqlMediaType(this.#head.contentType) &&
      !isRecognizable(json, result)
    ) {
      return new InvalidResponseError('the response is not a GraphQL response');
    }
    if (isSuccess(this.#head)) return this.#responseOf(result);
    const failure = { failureStatus: this.#head.status };
    const errors = result.errors?.map((entry) => ({ ...entry, ...failure }));
    return { ...this.#responseOf(result), errors, ...failure };
  }

  /** Returns an error for text that is not JSON. */
  #parseText(text: string): unknown {
    try {
      return this.#mayHaveLongNumber ? parseExactJson(text, this.#keepsDecimals) : JSON.parse(text);
    } catch (error) {
      return invalidJsonError(error);
    }
  }

  /** Like `#parseText`. */
  *#parseBytes(bytes: Buffer): SlicedTask<unknown> {
    const parse = (text: string): unknown => parseExactJson(text, this.#keepsDecimals);
    const task = parseJsonInSlices(bytes, { maxDepth: maxLargeBodyDepth, parse });
    try {
      for (;;) {
        const { done, value } = task.next();
        if (done === true) return value;
        // Empty objects take some 20 times as much memory as their text.
        if (isOldGenerationFull()) return memoryFullError(this.#subgraph);
        yield;
      }
    } catch (error) {
      return invalidJsonError(error);
    }
  }

  #describeInvalidJson({ message }: Error): InvalidResponseError {
    const { contentType = 'none' } = this.#head;
    // V8 quotes the beginning of a text that is not JSON, which may have secrets.
    const detail = message.includes('is not valid JSON') ? '' : `: ${message}`;
    return new InvalidResponseError(
      `the body is not JSON (content-type: ${contentType.slice(0, 100)})${detail}`,
    );
  }

  #responseOf({ data, errors, extensions }: SubgraphResult): SubgraphResponse {
    const { cacheControl, age, clientHeaders } = this.#head;
    return {
      data,
      errors,
      extensions,
      cacheControl,
      age,
      clientHeaders,
      isEscapeFree: this.#isEscapeFree,
    };
  }
}

function isSuccess({ status }: BufferedResponseHead): boolean {
  return status >= 200 && status < 300;
}

function stopNothing(): void {}

/** What JSON.parse threw as a problem of a response. */
export function invalidJsonError(error: unknown): Error {
  return error instanceof Error ? error : new InvalidResponseError('invalid JSON');
}

/** A GraphQL result of a subgraph: a whole response, or one event of a stream. */
type SubgraphResult = Pick<SubgraphResponse, 'data' | 'errors' | 'extensions'>;

/** Reads parsed JSON as a GraphQL result. Returns an error if it is not one. */
export function* readResult(json: unknown): SlicedTask<SubgraphResult | Error> {
  if (!isObject(json)) return new InvalidResponseError('the response is not a JSON object');
  const data = json.data;
  if (data !== undefined && data !== null && !isObject(data)) {
    return new InvalidResponseError('`data` is neither an object nor null');
  }
  const errors = json.errors === undefined ? undefined : yield* readErrors(json.errors);
  if (errors instanceof Error) return errors;
  if (data === undefined && errors === undefined) {
    return new InvalidResponseError('the response has neither `data` nor `errors`');
  }
  return { data, errors, extensions: readExtensions(json.extensions) };
}

function isRecognizable(json: unknown, { data }: SubgraphResult): boolean {
  return isObject(data) || (isObject(json) && hasReadableError(json.errors));
}

function isGraphqlMediaType(contentType: string | undefined): boolean {
  return contentType !== undefined && mediaTypeOf(contentType) === 'application/graphql-response+json';
}

/** A small body as text, a large one as bytes, both without a byte order mark. */
function decode(body: Buffer): string | Buffer | Error {
  if (body.length === 0) return new InvalidResponseError('the body is empty');
  const isLarge = body.length > largeBodyBytes;
  if (isAscii(body)) return isLarge ? body : body.toString('latin1');
  if (!isUtf8(body)) return new InvalidResponseError('the body is not UTF-8');
  const bytes = byteOrderMark.every((byte, i) => body[i] === byte)
    ? body.subarray(byteOrderMark.length)
    : body;
  return isLarge ? bytes : bytes.toString('utf8');
}

function* readErrors(errors: unknown): SlicedTask<readonly SubgraphErrorEntry[] | undefined | Error> {
  if (errors === null) return undefined;
  if (!Array.isArray(errors)) return new InvalidResponseError('`errors` is not a list');
  const entries: SubgraphErrorEntry[] = [];
  for (const error of errors) {
    entries.push(readErrorEntry(error));
    if (entries.length % errorsPerSlice === 0) yield;
  }
  return entries.length === 0 ? undefined : entries;
}

/** A malformed entry is still an error: something has failed in the subgraph. */
function readErrorEntry(entry: unknown): SubgraphErrorEntry {
  if (!isObject(entry)) return { message: 'The subgraph reported an error without a message.' };
  const { message, path, locations } = entry;
  const extensions = readExtensions(entry.extensions);
  return {
    message: typeof message === 'string' ? message : 'The subgraph reported an error without a message.',
    ...(isPath(path) ? { path } : isNonEmptyList(locations) ? { isRequestError: true } : {}),
    ...(extensions === undefined ? {} : { extensions }),
  };
}

/** `undefined` for a value that is no object, or that is nested too deep. */
function readExtensions(value: unknown): Record<string, unknown> | undefined {
  return isObject(value) && !isNestedDeeperThan(value, maxUncheckedDepth) ? value : undefined;
}

function isNonEmptyList(value: unknown): boolean {
  return Array.isArray(value) && value.length > 0;
}

function isPath(path: unknown): path is readonly (string | number)[] {
  return Array.isArray(path) && path.every((step) => typeof step === 'string' || isIndex(step));
}

/** JSON.parse reads `1e400` as Infinity, which JSON cannot express. */
function isIndex(step: unknown): boolean {
  return Number.isSafeInteger(step) && (step as number) >= 0;
}

function hasReadableError(errors: unknown): boolean {
  return (
    Array.isArray(errors) && errors.some((entry) => isObject(entry) && typeof entry.message === 'string')
  );
}
