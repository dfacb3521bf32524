import { expect } from '@jest/globals';
import { exchange, RawConnection, type RawRequest, type RawResponse } from './rawHttp.ts';

// Requests and events of graphql-sse's single connection mode.

export const tokenHeader = 'x-graphql-event-stream-token';

/** Reserves an event stream; returns its token. */
export async function reserveStream(url: string, headers: RawRequest['headers'] = {}): Promise<string> {
  const { status, body } = await exchange(url, { method: 'PUT', headers });
  expect(status).toBe(201);
  return body;
}

export function openingRequest(token: string, headers: RawRequest['headers'] = {}): RawRequest {
  return { method: 'GET', headers: { accept: 'text/event-stream', [tokenHeader]: token, ...headers } };
}

/** Opens a reserved stream and reads its opening with the `buffered` events. */
export async function openStream(
  url: string,
  token: string,
  buffered = '',
  headers: RawRequest['headers'] = {},
): Promise<RawConnection> {
  const connection = await RawConnection.open(url);
  connection.send(openingRequest(token, headers));
  expect((await connection.readHead()).status).toBe(200);
  expect(await connection.readChunk()).toBe(`:\n\n${buffered}`);
  return connection;
}

export function operationRequest(
  token: string,
  body: object,
  operationId = '1',
  headers: RawRequest['headers'] = {},
): RawRequest {
  return {
    headers: { 'content-type': 'application/json', [tokenHeader]: token, ...headers },
    body: JSON.stringify({ ...body, extensions: { operationId } }),
  };
}

export function endingRequest(token: string, operationId = '1'): RawRequest {
  return {
    method: 'DELETE',
    path: `/graphql?operationId=${operationId}`,
    headers: { [tokenHeader]: token },
  };
}

export function nextEvent(payload: unknown): string {
  return `event: next\ndata: {"id":"1","payload":${JSON.stringify(payload)}}\n\n`;
}

export const completeEvent = 'event: complete\ndata: {"id":"1"}\n\n';

/** The status and the first error code of a rejected request. */
export function rejectionOf({ status, body }: RawResponse): readonly [number, string] {
  return [status, JSON.parse(body).errors[0].extensions.code];
}
