import { EventEmitter } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { getHeapStatistics } from 'node:v8';
import { describe, expect, test } from '@jest/globals';
import { UnreadBytes } from '../../../../gateway/transport/streams/unreadBytes.ts';

const max = 100_000;
/** Of all connections. */
const maxTotal = getHeapStatistics().heap_size_limit / 2;

const tooMany = expect.objectContaining({
  code: 'OVERLOADED',
  extensions: { limit: 'responseSize', allowed: max },
});
const memoryFull = 'The gateway has not enough memory for the response.';

/** What `add` throws; `undefined` for nothing. */
function errorOf(unread: UnreadBytes, size: number): unknown {
  try {
    unread.add(size)();
    return undefined;
  } catch (error) {
    return error;
  }
}

function connect() {
  const socket = Object.assign(new EventEmitter(), { destroyed: false });
  const unread = () => UnreadBytes.ofConnection({ socket } as unknown as IncomingMessage, max);
  return { socket, unread };
}

describe('The responses that wait for one connection', () => {
  test('have a maximum together, unless there is only one, until they are read', () => {
    const unread = new UnreadBytes(max);
    const releaseFirst = unread.add(2 * max);
    expect([errorOf(unread, 20_000), errorOf(unread, 16 * 1024)]).toEqual([tooMany, undefined]);
    releaseFirst();
    releaseFirst();
    const release = unread.add(60_000);
    expect([errorOf(unread, 40_000), errorOf(unread, 40_001)]).toEqual([undefined, tooMany]);
    release();
  });

  test('count for all requests of the connection, until its responses are sent', () => {
    const { unread } = connect();
    const response = new EventEmitter() as ServerResponse;
    unread().addResponse(60_000, response);
    expect(errorOf(unread(), 60_000)).toEqual(tooMany);
    response.emit('close');
    expect(errorOf(unread(), 60_000)).toBeUndefined();
  });
});

test('The responses of all connections have half of the heap size together, and those of closed connections do not count', () => {
  const { socket, unread } = connect();
  const response = new EventEmitter() as ServerResponse;
  unread().addResponse(maxTotal - 50_000, response);
  const other = new UnreadBytes(max);
  expect(errorOf(other, 50_000)).toBeUndefined();
  expect(() => other.add(50_001)).toThrow(memoryFull);
  socket.emit('close');
  expect(errorOf(other, 50_001)).toBeUndefined();
  response.emit('close');
  // Responses that end after their connection count neither.
  unread().addResponse(maxTotal, response);
  other.add(maxTotal)();
  expect(() => {
    const release = other.add(maxTotal);
    try {
      new UnreadBytes(max).add(20_000);
    } finally {
      release();
    }
  }).toThrow(memoryFull);
});
