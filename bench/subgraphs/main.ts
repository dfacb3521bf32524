/** All four subgraphs and their admin server in one process. Prints one line of JSON with the URLs when all of them
 *  listen. `BENCH_SUBGRAPH_LATENCY_MS` delays every response. `BENCH_WIDE_SUBGRAPHS` starts that many subgraphs of
 *  `wide.ts` instead. Admin server: `GET /counts` returns the requests per subgraph since the start, `GET /anonymous`
 *  the number of those without `authorization`; `POST /delay` with `{ subgraph, text, delayMs }` delays requests whose
 *  body contains the text, and with `{ subgraph }` alone ends that. */
import type { Server } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { CannedAnswers } from './cannedAnswers.ts';
import { subgraphNames, subgraphSchema } from './schemas.ts';
import { createSubgraphServer } from './subgraphServer.ts';
import { wideNames, wideSchema } from './wide.ts';

const latencyMs = Number(process.env.BENCH_SUBGRAPH_LATENCY_MS ?? 0);
if (!(latencyMs >= 0)) throw new Error('BENCH_SUBGRAPH_LATENCY_MS must be a number of milliseconds');

const wideCount = Number(process.env.BENCH_WIDE_SUBGRAPHS ?? 0);
const schemas =
  wideCount > 0
    ? wideNames(wideCount).map((name, index) => ({ name, schema: wideSchema(index) }))
    : subgraphNames.map((name) => ({ name, schema: subgraphSchema(name) }));

const subgraphs = schemas.map(({ name, schema }) => ({
  name,
  ...createSubgraphServer(new CannedAnswers(schema), latencyMs),
}));

interface DelayRequest {
  readonly subgraph: string;
  readonly text?: string;
  readonly delayMs?: number;
}

const admin = createServer(async (request, response) => {
  if (request.url === '/counts') {
    const counts = subgraphs.map(({ name, requestCount }) => [name, requestCount()]);
    response.end(JSON.stringify(Object.fromEntries(counts)));
  } else if (request.url === '/anonymous') {
    response.end(JSON.stringify(subgraphs.reduce((sum, { anonymousCount }) => sum + anonymousCount(), 0)));
  } else if (request.url === '/delay' && request.method === 'POST') {
    const { subgraph, text: pattern, delayMs = 0 } = JSON.parse(await text(request)) as DelayRequest;
    const delay = pattern === undefined ? undefined : { text: pattern, delayMs };
    subgraphs.find(({ name }) => name === subgraph)?.setDelay(delay);
    response.writeHead(204).end();
  } else {
    response.writeHead(404).end();
  }
});

async function listen(server: Server): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject);
  server.listen(0, '127.0.0.1', resolve);
  await promise;
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const urls: Record<string, string> = {};
for (const { name, server } of subgraphs) urls[name] = `${await listen(server)}/graphql`;
console.log(JSON.stringify({ admin: await listen(admin), urls }));
