import { EventEmitter, once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import { ClientDisconnectedError } from '../../../gateway/admission/httpError.ts';
import { systemTimers } from '../../../gateway/time/timers.ts';
import { incrementalPartEncoding } from '../../../gateway/transport/http/multipartIncremental.ts';
import { incrementalEventEncoding } from '../../../gateway/transport/http/serverSentEvents.ts';
import { NoFirstPayloadError, writePayloads } from '../../../gateway/transport/http/writePayloads.ts';
import { FakeTimers } from '../../harness/fakeTimers.ts';
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

/** Until the next payload is written, which it is at the end of a turn of the event loop. */
async function turns(): Promise<void> {
  await setImmediate();
  await setImmediate();
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
    await turns();
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
    await turns();
    controller.abort(new ClientDisconnectedError());
    await written;
    await payloads.returned;
    expect([payloads.pullCount, response.chunks.length]).toEqual([1, 1]);
  });
});

describe('writePayloads, at the end of the body,', () => {
  test('sends no heartbeat while the last payload waits for its turn', async () => {
    const timers = new FakeTimers();
    const payloads = new ScriptedPayloads();
    payloads.push([{ hasNext: true, data: 1 }]);
    const response = new ScriptedResponse();
    const written = writePayloads(
      response as unknown as ServerResponse,
      payloads[Symbol.asyncIterator](),
      incrementalEventEncoding,
      { ...options, timers, headers: {}, signal: new AbortController().signal },
    );
    await turns();
    payloads.push([{ hasNext: false, incremental: [] }]);
    for (let microtask = 0; microtask < 20; microtask += 1) await undefined;
    expect(response.chunks).toHaveLength(1);
    timers.advance(options.heartbeatIntervalMs);
    await written;
    expect(response.chunks).toHaveLength(2);
    expect(response.chunks[1]).toContain('"hasNext":false');
  });

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
    await turns();
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

describe('writePayloads, to a real connection,', () => {
  const payloads = [
    { data: { name: 'Café ☕ 𝄞' }, hasNext: true },
    { incremental: [{ data: { text: 'x'.repeat(70_000) }, path: [] }], hasNext: true },
    { hasNext: false },
  ];

  /** Sends one request and returns the head and the bytes of the body as the server sent them. */
  async function exchange(version: string, prepare: (response: ServerResponse) => void = () => undefined) {
    const server = createServer((_request, response) => {
      prepare(response);
      const source = new ScriptedPayloads();
      for (const payload of payloads) source.push([payload]);
      void write(response as never, source, new AbortController().signal);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    socket.write(`GET / ${version}\r\nHost: test\r\nConnection: close\r\n\r\n`);
    const bytes = Buffer.concat(await socket.toArray());
    server.close();
    const headEnd = bytes.indexOf('\r\n\r\n');
    return { head: bytes.toString('latin1', 0, headEnd), body: bytes.subarray(headEnd + 4) };
  }

  /** Reads a chunked body strictly. */
  function readChunks(body: Buffer): string[] {
    const chunks: string[] = [];
    for (let at = 0; ; ) {
      const lineEnd = body.indexOf('\r\n', at);
      const size = Number.parseInt(body.toString('latin1', at, lineEnd), 16);
      at = lineEnd + 2;
      expect(body.toString('latin1', at + size, at + size + 2)).toBe('\r\n');
      if (size === 0) {
        expect(at + 2).toBe(body.length);
        return chunks;
      }
      chunks.push(body.toString('utf8', at, at + size));
      at += size + 2;
    }
  }

  test('sends each payload as one chunk of as many bytes as it says', async () => {
    const { head, body } = await exchange('HTTP/1.1');
    expect(head.toLowerCase()).toContain('transfer-encoding: chunked');
    const chunks = readChunks(body);
    expect(chunks).toHaveLength(payloads.length);
    for (const [n, payload] of payloads.entries()) expect(chunks[n]).toContain(JSON.stringify(payload));
  });

  test('sends the same body without chunks to a client that speaks HTTP/1.0', async () => {
    const chunked = readChunks((await exchange('HTTP/1.1')).body);
    const { head, body } = await exchange('HTTP/1.0');
    expect(head.toLowerCase()).not.toContain('transfer-encoding');
    expect(body.toString()).toBe(chunked.join(''));
  });

  test('leaves the chunks to a response that middleware has changed', async () => {
    const written: unknown[] = [];
    const { body } = await exchange('HTTP/1.1', (response) => {
      const original = response.write.bind(response);
      response.write = (...args: unknown[]) => {
        written.push(args[0]);
        return original(...(args as [string]));
      };
    });
    const text = readChunks(body).join('');
    expect(text).toBe(readChunks((await exchange('HTTP/1.1')).body).join(''));
    expect(text.startsWith(String(written[0]))).toBe(true);
  });
});
