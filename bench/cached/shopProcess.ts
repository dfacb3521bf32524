/** The demo's subgraphs in one process. Prints one line of JSON with their URLs and that of an admin server, whose
 *  `GET /counts` returns the number of requests of each subgraph. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { startDemoSubgraphs } from '../../subgraphs/demo.ts';

const demo = await startDemoSubgraphs({ ports: 0, keepRequests: 1 });
const admin = createServer((_, response) => {
  const counts = demo.all.map(({ name, requests }) => [name, requests.counts.total]);
  response.end(JSON.stringify(Object.fromEntries(counts)));
});
admin.listen(0, '127.0.0.1', () => {
  const { port } = admin.address() as AddressInfo;
  const urls = Object.fromEntries(demo.all.map(({ name, url }) => [name, url]));
  console.log(JSON.stringify({ admin: `http://127.0.0.1:${port}`, urls }));
});
