import { brotliCompressSync, gzipSync } from 'node:zlib';
import type { Random } from '../../subgraphs/shared/random.ts';
import type { Exchange } from '../harness/scriptedSubgraph.ts';
import { waitForTurns } from '../harness/waitForTurns.ts';
import { corruptBytes } from './oddValues.ts';

/** Sends a corrupted response. Resolves to the name of the corruption. */
export async function sendCorruptedResponse(
  random: Random,
  exchange: Exchange,
  right: string,
): Promise<string> {
  const [name, send] = random.pick(corruptions);
  await send(random, exchange, Buffer.from(right));
  return name;
}

type Corruption = (random: Random, exchange: Exchange, right: Buffer) => void | Promise<void>;

const json = { 'content-type': 'application/json' };
const statuses = [201, 204, 206, 299, 301, 304, 400, 401, 404, 409, 422, 429, 500, 502, 503, 599];

const headOf = (body: string | Buffer): string =>
  `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n`;

const corruptions: readonly [string, Corruption][] = [
  [
    'damaged bytes',
    (random, exchange, right) => exchange.respond({ headers: json, body: corruptBytes(random, right) }),
  ],
  [
    'a status',
    (random, exchange, right) =>
      exchange.respond({ status: random.pick(statuses), headers: json, body: right }),
  ],
  [
    'a status and a page',
    (random, exchange) =>
      exchange.respond({
        status: random.pick(statuses),
        headers: { 'content-type': 'text/html' },
        body: '<html><body>Bad gateway</body></html>',
      }),
  ],
  [
    'a content type',
    (random, exchange, right) =>
      exchange.respond({
        headers: {
          'content-type': random.pick(['text/html', '', 'application/xml', 'a', '\u00ff', 'multipart/mixed']),
        },
        body: right,
      }),
  ],
  ['nothing', (_, exchange) => exchange.respond({ headers: json, body: '' })],
  ['no header', (_, exchange, right) => exchange.respond({ body: right })],
  [
    'a coding',
    (random, exchange, right) => {
      const bodies = [right, gzipSync(right), brotliCompressSync(right), gzipSync(right).subarray(0, 20)];
      const coding = random.pick(['gzip', 'br', 'deflate', 'zstd', 'gzip, gzip', 'identity', '']);
      exchange.respond({ headers: { ...json, 'content-encoding': coding }, body: random.pick(bodies) });
    },
  ],
  [
    'cut off',
    (random, exchange, right) => {
      const part = right.subarray(0, random.integer(0, right.length - 1));
      exchange.write(
        `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${right.length}\r\n\r\n`,
      );
      exchange.write(part);
      exchange.end();
    },
  ],
  [
    'reset',
    async (random, exchange, right) => {
      if (random.chance(0.6)) {
        exchange.write(`HTTP/1.1 200 OK\r\ncontent-length: ${right.length}\r\n\r\n`);
        exchange.write(right.subarray(0, 5));
        await waitForTurns(random.integer(0, 3));
      }
      exchange.reset();
    },
  ],
  [
    'no HTTP',
    (random, exchange, right) => {
      const lines = [
        '',
        'HTTP/9.9 200 OK',
        'HTTP/1.1 OK',
        'HTTP/1.1 99999 OK',
        'nothing',
        'HTTP/1.1 200 OK\r\ncontent-length: x',
      ];
      exchange.write(`${random.pick(lines)}\r\n\r\n`);
      exchange.write(right);
      exchange.end();
    },
  ],
  [
    'chunks that break off',
    async (random, exchange, right) => {
      exchange.write(
        'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n',
      );
      exchange.write(`${random.pick(['5', 'zz', 'fffffffff', '-1', '0'])}\r\n`);
      exchange.write(right.subarray(0, 5));
      await waitForTurns(1);
      exchange.end();
    },
  ],
  [
    'in trickles',
    async (random, exchange, right) => {
      exchange.write(
        'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n',
      );
      for (let at = 0; at < right.length; ) {
        // Few chunks, so that the last one arrives in time on a busy machine.
        const piece = right.subarray(at, at + random.integer(1, Math.max(30, right.length / 10)));
        exchange.write(`${piece.length.toString(16)}\r\n`);
        exchange.write(piece);
        exchange.write('\r\n');
        at += piece.length;
        await waitForTurns(random.integer(0, 2));
      }
      exchange.write('0\r\n\r\n');
    },
  ],
  [
    'two responses',
    (_, exchange, right) => {
      const second = '{"data":{"polluted":true}}';
      // In one write: bytes that arrive after the next request would be the response to that request.
      exchange.write(`${headOf(right)}${right.toString()}${headOf(second)}${second}`);
    },
  ],
  [
    'a response before the response',
    (_, exchange, right) => {
      exchange.write('HTTP/1.1 103 Early Hints\r\nlink: <a>\r\n\r\n');
      exchange.respond({ headers: json, body: right });
    },
  ],
];
