import { type IncomingMessage, maxHeaderSize } from 'node:http';
import { HttpError } from '../../admission/httpError.ts';
import { http2StreamOf } from './http2Messages.ts';

/** The problem of the headers of a request; `undefined` for none. node:http refuses other malformed requests itself. */
export function findMalformedHeaders(request: IncomingMessage): HttpError | undefined {
  const { rawHeaders } = request;
  let seen = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const flag = flagOf(rawHeaders[at] as string);
    if ((seen & flag) !== 0) {
      const name = (rawHeaders[at] as string).toLowerCase();
      return new HttpError(400, `The header ${name} is repeated. Send it once.`);
    }
    seen |= flag;
  }
  const { 'transfer-encoding': coding, expect } = request.headers;
  // node:http reads a body with other codings as if it had none but the last one, `chunked`.
  if (coding !== undefined && coding.toLowerCase() !== 'chunked')
    return new HttpError(400, 'The transfer-encoding of the request is not chunked.');
  if (expect !== undefined && !/\b100-continue\b/i.test(expect)) {
    return new HttpError(
      417,
      'The gateway does not meet the expectation (the header expect). Send 100-continue or none.',
    );
  }
  // HTTP/2 clients may exceed the limit before they have read it.
  if (http2StreamOf(request) === undefined || sizeOf(rawHeaders) <= maxHeaderSize) return undefined;
  return headersTooLargeError();
}

export function headersTooLargeError(): HttpError {
  return new HttpError(
    431,
    `The URL and the headers of the request are larger than ${maxHeaderSize} bytes, the maximum. Send a long operation by POST.`,
  );
}

function sizeOf(rawHeaders: readonly string[]): number {
  let size = 0;
  for (const text of rawHeaders) size += text.length;
  return size;
}

/** A bit for each header that node:http reads only once: a proxy in front of the gateway may read the other value. */
function flagOf(name: string): number {
  switch (name.length) {
    case 4:
      return name.toLowerCase() === 'host' ? 1 : 0;
    case 12:
      return name.toLowerCase() === 'content-type' ? 2 : 0;
    case 13:
      return name.toLowerCase() === 'authorization' ? 4 : 0;
    default:
      return 0;
  }
}
