import { type DecoderOptions, type EventDecoder, splitHead } from './eventDecoder.ts';

const opcodes = { text: 1, close: 8, ping: 9, pong: 10 } as const;

/** Decodes `graphql-transport-ws`. Every client uses the same subscription id, so that all clients receive the same
 *  bytes. */
export class WebSocketDecoder implements EventDecoder {
  readonly request: Buffer;
  isOpen = false;
  readonly #query: string;
  #hasHead = false;
  /** One character per byte. */
  #raw = '';

  constructor({ url, query }: DecoderOptions) {
    this.#query = query;
    const lines = [
      `GET ${url.pathname} HTTP/1.1`,
      `host: ${url.host}`,
      'connection: Upgrade',
      'upgrade: websocket',
      'sec-websocket-version: 13',
      'sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==',
      'sec-websocket-protocol: graphql-transport-ws',
    ];
    this.request = Buffer.from(`${lines.join('\r\n')}\r\n\r\n`);
  }

  get isAtEventBoundary(): boolean {
    return this.isOpen && this.#raw === '';
  }

  push(bytes: Buffer, reply: (bytes: Buffer) => void): unknown[] {
    this.#raw += bytes.toString('latin1');
    if (!this.#hasHead) {
      const head = splitHead(this.#raw);
      if (head === undefined) return [];
      if (head.status !== 101) throw new Error(`Status ${head.status}: ${head.rest.slice(0, 300)}`);
      this.#hasHead = true;
      this.#raw = head.rest;
      reply(frame(opcodes.text, JSON.stringify({ type: 'connection_init' })));
    }
    const payloads: unknown[] = [];
    for (let read = this.#readFrame(); read !== undefined; read = this.#readFrame()) {
      const { opcode, content } = read;
      if (opcode === opcodes.close) throw new Error(`The gateway closed: ${content.slice(2)}`);
      if (opcode === opcodes.ping) reply(frame(opcodes.pong, content));
      if (opcode !== opcodes.text) continue;
      const message = JSON.parse(content) as { readonly type: string; readonly payload?: unknown };
      if (message.type === 'next') {
        payloads.push(message.payload);
      } else if (message.type === 'connection_ack') {
        this.isOpen = true;
        const payload = { query: this.#query };
        reply(frame(opcodes.text, JSON.stringify({ id: '1', type: 'subscribe', payload })));
      } else if (message.type === 'ping') {
        reply(frame(opcodes.text, JSON.stringify({ type: 'pong' })));
      } else {
        throw new Error(content.slice(0, 300));
      }
    }
    return payloads;
  }

  #readFrame(): { readonly opcode: number; readonly content: string } | undefined {
    const raw = this.#raw;
    if (raw.length < 2) return undefined;
    const shortSize = raw.charCodeAt(1);
    if (shortSize > 126) throw new Error('A frame of this size was not expected');
    const start = shortSize < 126 ? 2 : 4;
    if (raw.length < start) return undefined;
    const size = shortSize < 126 ? shortSize : raw.charCodeAt(2) * 256 + raw.charCodeAt(3);
    if (raw.length < start + size) return undefined;
    this.#raw = raw.slice(start + size);
    return { opcode: raw.charCodeAt(0) & 15, content: raw.slice(start, start + size) };
  }
}

/** Creates a client's frame. A mask of zeros leaves the content unchanged. */
function frame(opcode: number, content: string): Buffer {
  const size = Buffer.byteLength(content, 'latin1');
  const isShort = size < 126;
  const mask = [0, 0, 0, 0];
  const sizeBytes = isShort ? [128 + size] : [128 + 126, size >> 8, size & 255];
  return Buffer.concat([Buffer.from([128 + opcode, ...sizeBytes, ...mask]), Buffer.from(content, 'latin1')]);
}
