import { EventEmitter } from 'node:events';
import type { ServerResponse } from 'node:http';
import { describe, expect, test } from '@jest/globals';
import { ClientDisconnectedError } from '../../../gateway/admission/httpError.ts';
import { systemTimers } from '../../../gateway/time/timers.ts';
import { incrementalPartEncoding } from '../../../gateway/transport/http/multipartIncremental.ts';
import { NoFirstPayloadError, writePayloads } from '../../../gateway/transport/http/writePayloads.ts';
import { ScriptedPayloads } from '../../harness/scriptedServer.ts';

/** A response whose buffer state the test sets. */
class ScriptedResponse extends EventEmitter {
  writableNeedDrain = false;
  writableLength = 0;
  readonly chunks: string[] = [];
  readonly #onChunk: () => void;

  constructor(onChunk: () => void = () => undefined) {
    super();
    this.#onChunk = onChunk;
  }

  writeHead(): void {}

  write(chunk: string): void {
    this.chunks.push(chunk);
    this.#onChunk();
  }

  end(chunk: string): void {
    this.write(chunk);
  }
}

const options = {
  headers: {},
  bufferSize: 100,
  readTimeoutMs: 1000,
  heartbeatIntervalMs: 1000,
  timers: systemTimers,
  formatFailure: (reason: unknown) => ({ message: String(reason) }),
} as const;

function write(response: ScriptedResponse, payloads: ScriptedPayloads, signal: AbortSignal): Promise<void> {
  return writePayloads(
    response as unknown as ServerResponse,
    payloads[Symbol.asyncIterator](),
    incrementalPartEncoding('deferSpec=20220824'),
    { ...options, headers: {}, signal },
  );
}

async function turn(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

describe('writePayloads, for a client that reads slowly,', () => {
  test('requests the next batch only after the buffer has drained', async () => {
    const payloads = new ScriptedPayloads();
    payloads.push([{ data: 1, hasNext: true }]);
    payloads.push([{ hasNext: false }]);
    const response: ScriptedResponse = new ScriptedResponse(() => {
      response.writableNeedDrain = true;
      response.writableLength = 101;
    });
    const written = write(response, payloads, new AbortController().signal);
    await turn();
    expect(payloads.pullCount).toBe(1);
    response.writableNeedDrain = false;
    response.emit('drain');
    await written;
    expect([payloads.pullCount, response.chunks.length]).toEqual([2, 2]);
  });

  test('requests further batches while the waiting bytes fit the buffer', async () => {
    const payloads = new ScriptedPayloads();
    payloads.push([{ data: 1, hasNext: true }]);
    payloads.push([{ hasNext: false }]);
    const response: ScriptedResponse = new ScriptedResponse(() => {
      response.writableNeedDrain = true;
      response.writableLength = 100;
    });
    await write(response, payloads, new AbortController().signal);
    expect(payloads.pullCount).toBe(2);
  });

  test('ends the payloads when the client disconnects while the buffer is full', async () => {
    const payloads = new ScriptedPayloads();
    payloads.push([{ data: 1, hasNext: true }]);
    const response: ScriptedResponse = new ScriptedResponse(() => {
      response.writableNeedDrain = true;
      response.writableLength = 101;
    });
    const controller = new AbortController();
    const written = write(response, payloads, controller.signal);
    await turn();
    controller.abort(new ClientDisconnectedError());
    await written;
    await payloads.returned;
    expect([payloads.pullCount, response.chunks.length]).toEqual([1, 1]);
  });
});

describe('writePayloads, at the end of the body,', () => {
  test('writes the end together with the last payload, wherever hasNext is in the payload', async () => {
    const payloads = new ScriptedPayloads();
    payloads.push([{ hasNext: true, data: { hasNext: false } }]);
    payloads.push([{ hasNext: false, incremental: [{ data: { hasNext: true } }] }, { data: 'not sent' }]);
    const response = new ScriptedResponse();
    await write(response, payloads, new AbortController().signal);
    expect(response.chunks).toEqual([
      '\r\n---\r\ncontent-type: application/json; charset=utf-8\r\n\r\n{"hasNext":true,"data":{"hasNext":false}}\r\n---\r\n',
      'content-type: application/json; charset=utf-8\r\n\r\n{"hasNext":false,"incremental":[{"data":{"hasNext":true}}]}\r\n-----\r\n',
    ]);
    await payloads.returned;
  });

  test('writes nothing for an empty batch', async () => {
    const payloads = new ScriptedPayloads();
    payloads.push([]);
    payloads.push([{ hasNext: false }]);
    const response = new ScriptedResponse();
    await write(response, payloads, new AbortController().signal);
    expect(response.chunks).toEqual([
      '\r\n---\r\ncontent-type: application/json; charset=utf-8\r\n\r\n{"hasNext":false}\r\n-----\r\n',
    ]);
  });

  test('writes the abort reason as an error when the gateway ends the stream', async () => {
    const payloads = new ScriptedPayloads();
    payloads.push([{ data: 1, hasNext: true }]);
    const response = new ScriptedResponse();
    const controller = new AbortController();
    const written = write(response, payloads, controller.signal);
    await turn();
    controller.abort('closing');
    await written;
    expect(response.chunks[1]).toBe(
      'content-type: application/json; charset=utf-8\r\n\r\n{"errors":[{"message":"closing"}],"hasNext":false}\r\n-----\r\n',
    );
  });

  test('throws NoFirstPayloadError when the payloads fail before anything is written', async () => {
    const payloads = new ScriptedPayloads();
    payloads.push(new Error('early'));
    const response = new ScriptedResponse();
    await expect(write(response, payloads, new AbortController().signal)).rejects.toThrow(
      NoFirstPayloadError,
    );
    expect(response.chunks).toEqual([]);
  });
});
