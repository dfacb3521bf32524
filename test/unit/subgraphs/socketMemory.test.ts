import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net';
import { createServer } from 'node:tls';
import { describe, expect, test } from '@jest/globals';
import { createConnector, freeMemory } from '../../../gateway/subgraphs/socketMemory.ts';
import { loopbackCertificate } from '../../harness/loopbackCertificate.ts';
import { bytes, json, startScriptedSubgraph } from '../../harness/scriptedSubgraph.ts';
import { createClientFixture } from './clientFixture.ts';

describe('the memory of bytes', () => {
  test('is freed after the code that runs now', async () => {
    const bytes = Buffer.allocUnsafeSlow(1_000);

    const freed = freeMemory([bytes.subarray(10, 20), bytes.subarray(20, 30)]);

    expect(bytes.length).toBe(1_000);
    await freed;
    expect(bytes.length).toBe(0);
  });

  test("of Node's pool stays", async () => {
    const [bytes, others] = [Buffer.from('a'), Buffer.from('b')];

    await freeMemory([bytes]);

    expect([bytes.toString(), others.toString()]).toEqual(['a', 'b']);
  });
});

async function connectTo(accept: (socket: Socket) => void) {
  const server = createTcpServer(accept);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  createConnector(10_000)(
    { hostname: '127.0.0.1', protocol: 'http:', port: String(port) },
    (error, socket) => (socket === null ? reject(error) : resolve(socket)),
  );
  const socket = await promise;
  return {
    socket,
    async [Symbol.asyncDispose](): Promise<void> {
      socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

describe('a connection', () => {
  test('delivers all bytes in order to a slow reader', async () => {
    const sent = randomBytes(1_000_000);
    await using connection = await connectTo((socket) => socket.end(sent));
    const read: Buffer[] = [];
    for await (const bytes of connection.socket) {
      read.push(bytes);
      await new Promise(setImmediate);
    }

    expect(Buffer.concat(read).equals(sent)).toBe(true);
  });

  test.each([
    { length: 4096, memory: Buffer.from('any').buffer.byteLength },
    { length: 4097, memory: 4097 },
  ])('reads $length bytes into memory of $memory bytes', async ({ length, memory }) => {
    await using connection = await connectTo((socket) => socket.write(Buffer.alloc(length)));

    const [bytes] = await once(connection.socket, 'data');

    expect(bytes).toHaveLength(length);
    expect(bytes.buffer.byteLength).toBe(memory);
  });
});

describe('a response of a subgraph', () => {
  test('does not wait in memory for a collection of the heap', async () => {
    await using subgraph = await startScriptedSubgraph();
    await using under = createClientFixture(subgraph.url);
    const body = JSON.stringify({ data: { text: 'x'.repeat(40_000) } });
    const head = `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n`;
    subgraph.setDefaultScript(bytes(Buffer.from(head + body)));
    await under.send().outcome;
    const before = process.memoryUsage().arrayBuffers;

    for (let i = 0; i < 200; i++) await under.send().outcome;

    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(200 * 20_000);
  });

  test('is complete where several sockets read into the same memory', async () => {
    await using plain = await startScriptedSubgraph();
    plain.setDefaultScript(json({ data: { text: 'x'.repeat(60_000) } }));
    await using other = createClientFixture(plain.url);
    const server = createServer(loopbackCertificate, (socket) => {
      socket.on('error', () => undefined);
      socket.on('data', () => {
        for (const part of [
          'HTTP/1.1 200 OK\r\ncontent-length: 28\r\n\r\n',
          '{"data":',
          '{"text":"complete"}}',
        ])
          socket.write(part);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const url = `https://127.0.0.1:${typeof address === 'object' ? address?.port : ''}/graphql`;
    const under = createClientFixture(url, { at: { tls: { ca: loopbackCertificate.cert } } });
    try {
      for (let i = 0; i < 20; i++) {
        const answers = await Promise.all([under, other].map((fixture) => fixture.send().outcome));

        expect(answers).toMatchObject([
          { data: { text: 'complete' } },
          { data: { text: 'x'.repeat(60_000) } },
        ]);
      }
    } finally {
      await under.client.close();
      server.close();
    }
  });
});
