import type { ServerResponse } from 'node:http';
import type { IncrementalFormat } from '../../operation/operationRequest.ts';
import { hasNext, type PayloadEncoding } from '../streams/payloadEncoding.ts';
import type { Compression } from './compression.ts';
import { type ResponseHeaders, setStreamHeaders, writeStreamBody } from './writeResponse.ts';

/** Encodes the payloads of an operation with `@defer` as `multipart/mixed`. Sends no heartbeats: an empty part makes urql
 *  emit the same data again. */
export function incrementalPartEncoding(format: IncrementalFormat): PayloadEncoding<string> {
  return {
    contentType: `multipart/mixed; boundary="-"; ${format}`,
    opening: '\r\n---\r\n',
    sendsOpeningImmediately: false,
    heartbeat: undefined,
    encode(payload) {
      const isLast = !hasNext(payload);
      return { text: part(payload, isLast), isLast };
    },
    end: () => part(JSON.stringify({ hasNext: false }), true),
    // Without `incremental` and ids: clients of both formats read the errors and keep their data.
    fail: (error) => part(JSON.stringify({ errors: [error], hasNext: false }), true),
  };
}

/** A part with the delimiter after it, in one write: clients process a part when they read its closing delimiter. */
function part(payload: string, isLast: boolean): string {
  return `content-type: application/json; charset=utf-8\r\n\r\n${payload}\r\n---${isLast ? '--' : ''}\r\n`;
}

/** Writes a complete response for a client that accepts only incremental multipart. */
export function writeSinglePart(
  response: ServerResponse,
  format: IncrementalFormat,
  headers: ResponseHeaders,
  responseText: string,
  readTimeoutMs: number,
  compression: Compression | undefined,
): Promise<void> | undefined {
  const encoding = incrementalPartEncoding(format);
  const { text } = encoding.encode(`${responseText.slice(0, -1)},"hasNext":false}`);
  setStreamHeaders(headers, encoding);
  return writeStreamBody(response, headers, [encoding.opening + text], readTimeoutMs, compression);
}
