import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from '@jest/globals';
import { fetchLiveSubgraphs } from '../../../../contracts/drift/fetchLiveSubgraphs.ts';
import { maxSchemaBytes } from '../../../../contracts/store/schemaFile.ts';
import { closeServer } from '../../../harness/closeServer.ts';
import { FakeTimers } from '../../../harness/fakeTimers.ts';
import { Gate } from '../../../harness/gate.ts';

/** A server with a fixed answer. */
class Subgraph implements AsyncDisposable {
  readonly #server;

  private constructor(listener: RequestListener) {
    this.#server = createServer(listener);
  }

  static async start(listener: RequestListener): Promise<Subgraph> {
    const subgraph = new Subgraph(listener);
    await new Promise<void>((resolve) => subgraph.#server.listen(0, '127.0.0.1', resolve));
    return subgraph;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return closeServer(this.#server);
  }
}

const sdl = 'type Query { a: Int }';
const says: RequestListener = (_request, response) =>
  void response.end(JSON.stringify({ data: { _service: { sdl } } }));

test('fetchLiveSubgraphs returns after the timeout when a subgraph does not answer', async () => {
  const gate = new Gate();
  await using hanging = await Subgraph.start(() => void gate.pass());
  const address = { name: 'hanging', url: hanging.url };
  const timers = new FakeTimers();
  const fetched = fetchLiveSubgraphs([address], {
    signal: new AbortController().signal,
    timeout: { ms: 3_000, timers },
  });
  await gate.waitForArrivals();
  timers.advance(3_000);
  expect(await fetched).toEqual([{ ...address, unreachable: 'no answer within 3000 ms' }]);
  expect(timers.pendingCount).toBe(0);
});

test('fetchLiveSubgraphs tries a failing subgraph twice and leaves no timer', async () => {
  let requests = 0;
  await using subgraph = await Subgraph.start((request, response) => {
    requests += 1;
    if (requests === 1) response.writeHead(503).end('starting');
    else says(request, response);
  });
  const address = { name: 'starting', url: subgraph.url };
  const timers = new FakeTimers();
  const within = { ms: 3_000, timers };
  const { signal } = new AbortController();
  expect(await fetchLiveSubgraphs([address], { signal, retryAfterMs: 1, timeout: within })).toEqual([
    { ...address, sdl },
  ]);
  expect(requests).toBe(2);
  expect(timers.pendingCount).toBe(0);
});

test('fetchLiveSubgraphs refuses a schema beyond the size limit, which nothing may parse', async () => {
  const large = JSON.stringify({ data: { _service: { sdl: `${sdl} # ${'x'.repeat(maxSchemaBytes)}` } } });
  await using subgraph = await Subgraph.start((_request, response) => void response.end(large));
  const address = { name: 'large', url: subgraph.url };
  const { signal } = new AbortController();
  expect(await fetchLiveSubgraphs([address], { signal, retryAfterMs: 1 })).toEqual([
    { ...address, unreachable: 'it has 5.1 MB; a check reads schemas of up to 5 MB' },
  ]);
});

test('fetchLiveSubgraphs rejects with the reason of the signal', async () => {
  const gate = new Gate();
  await using hanging = await Subgraph.start(() => void gate.pass());
  const stop = new AbortController();
  const fetched = fetchLiveSubgraphs([{ name: 'hanging', url: hanging.url }], {
    signal: stop.signal,
    timeout: { ms: 3_000, timers: new FakeTimers() },
  });
  await gate.waitForArrivals();
  stop.abort(new Error('overtaken'));
  await expect(fetched).rejects.toThrow('overtaken');
});
