import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from '@jest/globals';
import { askSubgraphs } from '../../../../gateway/contracts/drift/liveSubgraphs.ts';
import { Gate } from '../../../harness/gate.ts';
import { HandTimers } from '../../../harness/handTimers.ts';

/** A server that answers so, and where it is. */
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

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

const sdl = 'type Query { a: Int }';
const says: RequestListener = (_request, response) =>
  void response.end(JSON.stringify({ data: { _service: { sdl } } }));

test('a subgraph that does not answer keeps nobody waiting longer than said', async () => {
  const gate = new Gate();
  await using hanging = await Subgraph.start(() => void gate.pass());
  const address = { name: 'hanging', url: hanging.url };
  const timers = new HandTimers();
  const asked = askSubgraphs([address], {
    signal: new AbortController().signal,
    within: { ms: 3_000, timers },
  });
  await gate.arrived();
  timers.pass(3_000);
  expect(await asked).toEqual([{ ...address, unreachable: 'no answer within 3000 ms' }]);
  expect(timers.size).toBe(0);
});

test('a subgraph that answers with an error is asked once more, and no timer is left', async () => {
  let requests = 0;
  await using subgraph = await Subgraph.start((request, response) => {
    requests += 1;
    if (requests === 1) response.writeHead(503).end('starting');
    else says(request, response);
  });
  const address = { name: 'starting', url: subgraph.url };
  const timers = new HandTimers();
  const within = { ms: 3_000, timers };
  const { signal } = new AbortController();
  expect(await askSubgraphs([address], { signal, retryAfterMs: 1, within })).toEqual([{ ...address, sdl }]);
  expect(requests).toBe(2);
  expect(timers.size).toBe(0);
});

test('asking ends with the signal, for its reason', async () => {
  const gate = new Gate();
  await using hanging = await Subgraph.start(() => void gate.pass());
  const stop = new AbortController();
  const asked = askSubgraphs([{ name: 'hanging', url: hanging.url }], {
    signal: stop.signal,
    within: { ms: 3_000, timers: new HandTimers() },
  });
  await gate.arrived();
  stop.abort(new Error('overtaken'));
  await expect(asked).rejects.toThrow('overtaken');
});
