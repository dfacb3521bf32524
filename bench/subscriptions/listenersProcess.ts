/** All clients, on raw sockets: a client library would cost this core more per event than the gateway costs its own.
 *  Takes orders from its parent and replies to each with one message. */
import { connect } from 'node:net';
import type { EventDecoder } from './eventDecoder.ts';
import { numberOf } from './shop.ts';
import { SseDecoder } from './sseDecoder.ts';
import { WebSocketDecoder } from './webSocketDecoder.ts';

export type ClientProtocol = 'sse' | 'ws';

export type ListenerCommand =
  | {
      readonly kind: 'open';
      readonly url: string;
      readonly query: string;
      readonly protocol: ClientProtocol;
      readonly count: number;
    }
  /** Resets the counts; this event is the first one that counts. */
  | { readonly kind: 'count'; readonly first: number; readonly events: number }
  | { readonly kind: 'status' }
  | { readonly kind: 'close' };

export interface ListenerStatus {
  /** Correct events since `count`, each once and in order, summed over the clients. */
  readonly deliveries: number;
  /** Payloads that are not a correct event, or are repeated or out of order. */
  readonly wrong: number;
  /** Clients whose subscription ended. */
  readonly ended: number;
  /** Why the first of these ended, or the first wrong payload. */
  readonly problem?: string;
  /** When the last client received each event, in milliseconds since the epoch; 0 if no client received it. */
  readonly lastAt: readonly number[];
}

/** Clients that connect at the same time. More would overflow the queue of a listening socket. */
const openingConcurrency = 100;

/** A local address has about 28,000 ports, some of which may still be reserved by closed connections. */
const clientsPerAddress = 5000;

const decoders = { sse: SseDecoder, ws: WebSocketDecoder } as const;

/** The bytes of an event as the first idle client received and checked them. The other clients receive the same
 *  bytes. */
const expectedBytes = new Map<number, Buffer>();

/** All sockets read into this buffer, so data that is stored must be copied. */
const buffer = Buffer.allocUnsafe(65_536);

let clients: Client[] = [];
let firstEvent = 0;
let deliveries = 0;
let wrong = 0;
let ended = 0;
let problem: string | undefined;
let lastAt: number[] = [];

class Client {
  readonly opened: Promise<void>;
  readonly close: () => void;
  /** The number of the next event; `undefined` before the first, which may have any number. */
  next: number | undefined;
  readonly #decoder: EventDecoder;
  readonly #reply: (bytes: Buffer) => void;

  constructor(url: URL, localAddress: string, decoder: EventDecoder) {
    this.#decoder = decoder;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const fail = (error: unknown) => {
      this.close();
      ended++;
      problem ??= String(error);
      reject(error);
    };
    const socket = connect({
      host: url.hostname,
      port: Number(url.port),
      localAddress,
      noDelay: true,
      onread: {
        buffer,
        callback: (size) => {
          try {
            this.#read(buffer.subarray(0, size));
            if (decoder.isOpen) resolve();
          } catch (error) {
            fail(error);
          }
          return true;
        },
      },
    });
    this.#reply = (bytes) => socket.write(bytes);
    this.opened = promise;
    this.close = () => {
      socket.removeAllListeners('close');
      socket.destroy();
    };
    socket.on('error', fail);
    socket.on('close', () => fail(new Error('The gateway closed the connection')));
    socket.write(decoder.request);
  }

  #read(bytes: Buffer): void {
    let at = 0;
    if (this.#decoder.isAtEventBoundary && this.next !== undefined) {
      for (let size = this.#expectedSize(bytes, at); size > 0; size = this.#expectedSize(bytes, at)) {
        at += size;
        this.#count(this.next);
      }
      if (at === bytes.length) return;
    }
    const rest = at === 0 ? bytes : bytes.subarray(at);
    const wasAtRest = this.#decoder.isAtEventBoundary;
    const payloads = this.#decoder.push(rest, this.#reply);
    for (const payload of payloads) this.#take(payload);
    if (wasAtRest && this.#decoder.isAtEventBoundary && payloads.length === 1) {
      const number = numberOf(payloads[0]);
      if (number !== undefined && !expectedBytes.has(number)) expectedBytes.set(number, Buffer.from(rest));
    }
  }

  /** How many of the bytes from this offset are the next event as other clients received it; 0 if they are not. */
  #expectedSize(bytes: Buffer, at: number): number {
    const expected = expectedBytes.get(this.next ?? -1);
    if (expected === undefined) return 0;
    const end = at + expected.length;
    return end <= bytes.length && bytes.compare(expected, 0, expected.length, at, end) === 0
      ? expected.length
      : 0;
  }

  #take(payload: unknown): void {
    const number = numberOf(payload);
    if (number === undefined || number < (this.next ?? number)) {
      wrong++;
      problem ??= JSON.stringify(payload).slice(0, 500);
      return;
    }
    this.#count(number);
  }

  #count(number: number): void {
    this.next = number + 1;
    if (number < firstEvent) return;
    deliveries++;
    lastAt[number - firstEvent] = performance.timeOrigin + performance.now();
  }
}

async function open({ url, query, protocol, count }: ListenerCommand & { kind: 'open' }): Promise<void> {
  const address = new URL(url);
  ended = 0;
  problem = undefined;
  const openNext = async () => {
    while (clients.length < count) {
      const localAddress = `127.0.0.${2 + Math.floor(clients.length / clientsPerAddress)}`;
      const client = new Client(address, localAddress, new decoders[protocol]({ url: address, query }));
      clients.push(client);
      await client.opened;
    }
  };
  await Promise.all(Array.from({ length: openingConcurrency }, openNext));
}

async function runCommand(order: ListenerCommand): Promise<ListenerStatus> {
  if (order.kind === 'open') await open(order);
  if (order.kind === 'count') {
    ({ first: firstEvent } = order);
    [deliveries, wrong] = [0, 0];
    lastAt = new Array<number>(order.events).fill(0);
  }
  if (order.kind === 'close') {
    for (const client of clients) client.close();
    clients = [];
    expectedBytes.clear();
  }
  return {
    deliveries,
    wrong,
    ended,
    ...(problem === undefined ? {} : { problem }),
    lastAt,
  };
}

process.on('message', (order: ListenerCommand) => {
  runCommand(order).then(
    (status) => process.send?.(status),
    // The parent reports the standard error of a process that ends by itself.
    (error: unknown) => {
      console.error(error);
      process.exit(1);
    },
  );
});
