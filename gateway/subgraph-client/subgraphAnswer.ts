import { isAscii, isUtf8 } from 'node:buffer';
import type { GatewayError } from '../errors.ts';
import { AnswerProblem, invalidResponse, statusFailure } from './callFailure.ts';
import type { SubgraphErrorEntry, SubgraphResponse } from './subgraphClient.ts';

const backslash = 0x5c;
const byteOrderMark = '\ufeff';

export interface ReceivedAnswer {
  readonly subgraph: string;
  readonly status: number;
  readonly contentType: string | undefined;
  /** After decompression; or why there is none. */
  readonly body: Buffer | Error;
}

/** A whole answer of a subgraph, read anew for each receiver since each may write into what it gets. */
export class SubgraphAnswer {
  readonly #subgraph: string;
  readonly #status: number;
  readonly #isGraphqlMediaType: boolean;
  readonly #text: string | Error;
  readonly #isEscapeFree: boolean;

  constructor({ subgraph, status, contentType, body }: ReceivedAnswer) {
    this.#subgraph = subgraph;
    this.#status = status;
    this.#isGraphqlMediaType = isGraphqlMediaType(contentType);
    this.#text = Buffer.isBuffer(body) ? decode(body) : body;
    this.#isEscapeFree = Buffer.isBuffer(body) && body.indexOf(backslash) === -1;
  }

  read(): SubgraphResponse | GatewayError {
    const isSuccess = this.#status >= 200 && this.#status < 300;
    const response = this.#parse(isSuccess);
    if (!(response instanceof Error)) return response;
    return isSuccess
      ? invalidResponse(this.#subgraph, response)
      : statusFailure(this.#subgraph, this.#status, response);
  }

  #parse(isSuccess: boolean): SubgraphResponse | Error {
    if (this.#status >= 300 && this.#status < 400) return new AnswerProblem('redirects are not followed');
    const text = this.#text;
    if (typeof text !== 'string') return text;
    let json: unknown;
    try {
      json = JSON.parse(text);
    } catch (error) {
      return error instanceof Error ? error : new AnswerProblem('invalid JSON');
    }
    if (!isObject(json)) return new AnswerProblem('the answer is no JSON object');
    const data = json.data;
    if (data !== undefined && data !== null && !isObject(data)) {
      return new AnswerProblem('`data` is neither an object nor null');
    }
    const errors = readErrors(json.errors);
    if (errors instanceof Error) return errors;
    if (data === undefined && errors === undefined) {
      return new AnswerProblem('the answer has neither `data` nor `errors`');
    }
    // A proxy on the way may answer a failure with JSON of its own. It is taken for the subgraph's only if
    // it says so or looks like it.
    if (!isSuccess && !this.#isGraphqlMediaType && !hasReadableError(json.errors) && !isObject(data)) {
      return new AnswerProblem('the answer is no GraphQL answer');
    }
    return {
      data,
      errors,
      extensions: isObject(json.extensions) ? json.extensions : undefined,
      isEscapeFree: this.#isEscapeFree,
    };
  }
}

function isGraphqlMediaType(contentType: string | undefined): boolean {
  if (contentType === undefined) return false;
  const end = contentType.indexOf(';');
  const mediaType = end === -1 ? contentType : contentType.slice(0, end);
  return mediaType.trim().toLowerCase() === 'application/graphql-response+json';
}

function decode(body: Buffer): string | Error {
  if (body.length === 0) return new AnswerProblem('the body is empty');
  if (isAscii(body)) return body.toString('latin1');
  if (!isUtf8(body)) return new AnswerProblem('the body is not UTF-8');
  const text = body.toString('utf8');
  return text.startsWith(byteOrderMark) ? text.slice(1) : text;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function readErrors(errors: unknown): readonly SubgraphErrorEntry[] | undefined | Error {
  if (errors === undefined || errors === null) return undefined;
  if (!Array.isArray(errors)) return new AnswerProblem('`errors` is no list');
  return errors.length === 0 ? undefined : errors.map(readErrorEntry);
}

/** Something failed even where the subgraph cannot say it properly: a malformed entry is still an error. */
function readErrorEntry(entry: unknown): SubgraphErrorEntry {
  if (!isObject(entry)) return { message: 'The subgraph reported an error without a message.' };
  const { message, path, extensions } = entry;
  return {
    message: typeof message === 'string' ? message : 'The subgraph reported an error without a message.',
    ...(isPath(path) ? { path } : {}),
    ...(isObject(extensions) ? { extensions } : {}),
  };
}

function isPath(path: unknown): path is readonly (string | number)[] {
  return Array.isArray(path) && path.every((step) => typeof step === 'string' || typeof step === 'number');
}

function hasReadableError(errors: unknown): boolean {
  return (
    Array.isArray(errors) && errors.some((entry) => isObject(entry) && typeof entry.message === 'string')
  );
}
