// Starts the demo: five subgraphs, each in a process of its own, the gateway and the shop page. Runs until SIGINT or
// SIGTERM.
//
//   node scripts/start.ts [--port 4000] [--admin-port 4001] [--storefront-port 4200] [--subgraph-port 4101]

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { startStorefront } from '../storefront/serve.ts';
import { readDemoFaults } from '../subgraphs/demo.ts';
import { createDemoApi } from '../subgraphs/demoApi.ts';
import { createDemoProcesses } from '../subgraphs/demoProcesses.ts';
import { FaultSpecError } from '../subgraphs/shared/parseFaults.ts';
import { RequestError } from '../subgraphs/shared/readJsonBody.ts';
import { ensureGraphiql, ensureInsightsPage } from './bundles.ts';
import { type DemoPorts, readDemoPorts, StartError } from './demoPorts.ts';
import { warmDemo } from './warmDemo.ts';

const root = join(import.meta.dirname, '..');
// Inherited by all parts, which then start in two thirds of the CPU time.
process.env.NODE_COMPILE_CACHE ??= join(root, 'node_modules/.cache/node-compile');
const host = '127.0.0.1';
/** Covers composing the supergraph and starting the planner. */
const readyTimeoutMs = 60_000;
const readyPollMs = 100;
/** Longer than the gateway's own drain timeout of 30 s. */
const stopTimeoutMs = 35_000;

function startGateway({ gateway, admin, subgraphs }: DemoPorts): ChildProcess {
  const args = ['gateway/cli.ts', 'serve', '--config', 'tributary.yaml', '--port', `${gateway}`];
  const subgraphUrls = Object.entries(subgraphs).map(
    ([name, port]) => [`${name.toUpperCase()}_URL`, `http://${host}:${port}/graphql`] as const,
  );
  // At V8's default young generation of 16 MiB, its collection is the largest single cost of a busy gateway.
  return spawn(process.execPath, ['--max-semi-space-size=64', ...args], {
    cwd: root,
    env: { ...process.env, TRIBUTARY_ADMIN_PORT: `${admin}`, ...Object.fromEntries(subgraphUrls) },
    // A process group of its own: Ctrl+C reaches this process only, which then stops the parts in order.
    detached: process.platform !== 'win32',
    // The gateway drains when the IPC channel closes, even if this process is killed.
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
}

async function waitUntilReady(adminUrl: string, gateway: ChildProcess): Promise<void> {
  const end = performance.now() + readyTimeoutMs;
  let reasons = '';
  while (performance.now() < end) {
    if (gateway.exitCode !== null || gateway.signalCode !== null) {
      throw new StartError('The gateway stopped while it started. Its log above has the reason.');
    }
    try {
      const response = await fetch(`${adminUrl}/health/ready`);
      if (response.ok) return;
      reasons = await response.text();
    } catch {
      // The gateway does not listen yet.
    }
    await delay(readyPollMs);
  }
  throw new StartError(`The gateway was not ready after ${readyTimeoutMs / 1000} s. ${reasons}`.trimEnd());
}

async function stopGateway(gateway: ChildProcess): Promise<void> {
  if (gateway.exitCode !== null || gateway.signalCode !== null) return;
  const exited = once(gateway, 'exit');
  gateway.kill('SIGTERM');
  const killTimer = setTimeout(() => gateway.kill('SIGKILL'), stopTimeoutMs);
  await exited;
  clearTimeout(killTimer);
}

function printAddresses(rows: readonly (readonly [string, string])[]): void {
  const width = Math.max(...rows.map(([name]) => name.length));
  console.log('');
  for (const [name, address] of rows) console.log(`  ${name.padEnd(width)}   ${address}`);
}

/** Things to try that work in any order, any number of times. */
function printThingsToTry(shop: string, gateway: string): void {
  const clear = `curl -s -o /dev/null ${shop}/demo/cold -H 'content-type: application/json' -d '{}'`;
  const defer = `curl -N ${gateway} -H 'content-type: application/json' -H 'accept: multipart/mixed'`;
  const body = `{"query":"{ product(id: \\"p1\\") { name ... @defer { recommended { name } } } }"}`;
  console.log(`
  Three things to try, in any order and as often as you like:

  1. Open ${shop}/product/p1 and choose "Race all three". The
     recommendations take 1.5 s; see who waits for them. It begins with an empty
     cache each time.
  2. Under "Break something", kill "reviews" or let it hang. The product stays, and
     its reviews follow when the subgraph runs again.
  3. See the payloads of @defer arrive, with an empty cache:
     ${clear}
     ${defer} \\
       -d '${body}'

  Ctrl+C ends everything.
`);
}

const closers: (() => Promise<void>)[] = [];

/** Prints a line when a part runs. */
async function withProgress<Part>(name: string, starting: Promise<Part>): Promise<Part> {
  const part = await starting;
  console.log(`  ${name} (${(performance.now() / 1000).toFixed(1)} s)`);
  return part;
}

async function start(signal: AbortSignal): Promise<ChildProcess> {
  const ports = await readDemoPorts(process.argv.slice(2), process.env);
  console.log('Starting the demo …');
  // The first bundling takes some seconds; the subgraphs start meanwhile.
  const pages = withProgress(
    'the pages of the gateway are bundled',
    Promise.all([ensureGraphiql(), ensureInsightsPage()]),
  );
  pages.catch(() => {});
  const processes = createDemoProcesses({
    host,
    ports: ports.subgraphs,
    faults: readDemoFaults(process.env),
  });
  closers.push(() => processes.close());
  await Promise.race([
    Promise.all([withProgress('the subgraphs run', processes.restore()), pages]),
    aborted(signal),
  ]);
  signal.throwIfAborted();

  const gatewayUrl = `http://${host}:${ports.gateway}`;
  const adminUrl = `http://${host}:${ports.admin}`;
  const gateway = startGateway(ports);
  closers.push(() => stopGateway(gateway));
  const addresses = { gateway: `${gatewayUrl}/graphql`, insights: `${adminUrl}/insights` };
  const [storefront] = await Promise.all([
    startStorefront({
      port: ports.storefront,
      host,
      gatewayUrl: addresses.gateway,
      demo: createDemoApi({ processes, adminUrl, addresses }),
    }),
    Promise.race([withProgress('the gateway is ready', waitUntilReady(adminUrl, gateway)), aborted(signal)]),
  ]);
  closers.push(() => storefront.close());
  signal.throwIfAborted();

  printAddresses([
    ['Shop', storefront.url],
    ['Gateway', `${addresses.gateway}   (in a browser: GraphiQL)`],
    ['Insights', addresses.insights],
    ...(await processes.status()).map(({ name, url }) => [`Subgraph ${name}`, url] as const),
  ]);
  printThingsToTry(storefront.url, addresses.gateway);
  // Otherwise the first visitor measures the query planner. A failure here is one that visitors see as well.
  warmDemo(addresses.gateway).catch(() => {});
  return gateway;
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason));
    if (signal.aborted) reject(signal.reason);
  });
}

/** Stops the newest part first: the shop before the gateway, the gateway before the subgraphs that it may still
 *  call. */
async function closeAll(): Promise<void> {
  for (const close of closers.reverse()) await close();
}

// npm and the bootstrap pass signals on, so one Ctrl+C may arrive several times.
const stop = new AbortController();
for (const event of ['SIGINT', 'SIGTERM', 'SIGHUP', 'disconnect']) process.on(event, () => stop.abort());
// The channel closed before this line.
if (process.connected === false) stop.abort();

try {
  const gateway = await start(stop.signal);
  await Promise.race([once(gateway, 'exit'), aborted(stop.signal)]);
  console.error('The gateway stopped. Its log above has the reason.');
  process.exitCode = 1;
} catch (error) {
  if (!stop.signal.aborted) {
    const isForUser = [StartError, RequestError, FaultSpecError].some((type) => error instanceof type);
    console.error(isForUser ? (error as Error).message : error);
    process.exitCode = 1;
  }
} finally {
  await closeAll();
}
// All servers are closed. Idle connections of `fetch` may still keep the process alive.
process.exit();
