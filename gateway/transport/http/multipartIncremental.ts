import type { ServerResponse } from 'node:http';
import type { IncrementalFormat } from '../../operation/operationRequest.ts';
import { hasNext, type PayloadEncoding } from '../streams/payloadEncoding.ts';
import { writeStreamHead } from './writePayloads.ts';
import type { ResponseHeaders } from './writeResponse.ts';

/** The payloads of an operation with `@defer` as `multipart/mixed`. Without signs of life: an empty part makes urql
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
    // Without `incremental` and ids: both formats' readers take the errors and keep the data they have.
    fail: (error) => part(JSON.stringify({ errors: [error], hasNext: false }), true),
  };
}

/** Clients take a part when they see the delimiter after it, so that belongs into the same write. */
function part(payload: string, isLast: boolean): string {
  return `content-type: application/json; charset=utf-8\r\n\r\n${payload}\r\n---${isLast ? '--' : ''}\r\n`;
}

/** Writes an answer in one piece for a client that takes multipart only. */
export function writeSinglePart(
  response: ServerResponse,
  format: IncrementalFormat,
  headers: ResponseHeaders,
  answer: string,
): void {
  const encoding = incrementalPartEncoding(format);
  writeStreamHead(response, encoding, headers);
  response.end(`${encoding.opening}${encoding.encode(`${answer.slice(0, -1)},"hasNext":false}`).text}`);
}
