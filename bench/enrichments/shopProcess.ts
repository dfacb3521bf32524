/** The demo's subgraphs in one process, with a configurable latency of the recommendations. Prints one line of JSON
 *  with their URLs and that of an admin server, whose `POST /` takes a `SlowCalls`. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { startDemoSubgraphs } from '../../subgraphs/demo.ts';
import { systemFaultClock } from '../../subgraphs/shared/faultClock.ts';
import { createRandom } from '../../subgraphs/shared/random.ts';

export interface SlowCalls {
  /** The share of calls that take `latencyMs`. The other calls take no time. */
  readonly share: number;
  readonly latencyMs: number;
  /** Slow calls end only when their client disconnects. */
  readonly isHanging: boolean;
}

export interface ShopAddresses {
  readonly admin: string;
  readonly urls: Readonly<Record<string, string>>;
}

let share = 0;
const random = createRandom(1);
const demo = await startDemoSubgraphs({
  ports: 0,
  keepRequests: 1,
  clock: {
    async sleep(ms, signal) {
      if (random.chance(share)) await systemFaultClock.sleep(ms, signal);
    },
  },
});

const admin = createServer(async (request, response) => {
  const slowness = (await json(request)) as SlowCalls;
  share = slowness.share;
  const fault = slowness.isHanging ? { hangRate: 1 } : { latency: slowness.latencyMs };
  demo.recommendations.faults.replace({ targets: { 'Product.recommended': fault } });
  response.end();
});
admin.listen(0, '127.0.0.1', () => {
  const { port } = admin.address() as AddressInfo;
  const urls = Object.fromEntries(demo.all.map(({ name, url }) => [name, url]));
  console.log(JSON.stringify({ admin: `http://127.0.0.1:${port}`, urls } satisfies ShopAddresses));
});
