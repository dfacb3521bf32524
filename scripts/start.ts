// Starts the demo: five subgraphs, the gateway and the shop page. Runs until SIGINT or SIGTERM.
//
//   node scripts/start.ts [--port 4000] [--storefront-port 4200]

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { startStorefront } from '../storefront/serve.ts';
import { demoDefinitions, readDemoFaults, startDemoSubgraphs } from '../subgraphs/demo.ts';
import { ensureGraphiql, ensureInsightsPage } from './bundles.ts';

const root = join(import.meta.dirname, '..');
const host = '127.0.0.1';
const adminPort = 4001;
/** Covers composing the supergraph and starting the planner. */
const readyTimeoutMs = 60_000;
const readyPollMs = 100;
/** Longer than the gateway's own drain timeout of 30 s. */
const stopTimeoutMs = 35_000;

interface Ports {
  readonly gateway: number;
  readonly storefront: number;
}

/** An error whose message is for the user. It is printed without a stack trace. */
class StartError extends Error {}

function readPorts(): Ports {
  const options = {
    port: { type: 'string', default: '4000' },
    'storefront-port': { type: 'string', default: '4200' },
  } as const;
  try {
    const { values } = parseArgs({ options });
    return {
      gateway: readPort('--port', values.port),
      storefront: readPort('--storefront-port', values['storefront-port']),
    };
  } catch (error) {
    throw error instanceof StartError ? error : new StartError((error as Error).message);
  }
}

function readPort(option: string, value: string): number {
  const port = Number(value);
  if (Number.isInteger(port) && port > 0 && port < 65_536) return port;
  throw new StartError(`${option}: must be a port from 1 to 65535, not "${value}"`);
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  const listening = once(server, 'listening');
  server.listen(port, host);
  try {
    await listening;
  } catch {
    return false;
  }
  server.close();
  await once(server, 'close');
  return true;
}

/** Checks all ports before anything starts. @throws {StartError} that names every port in use. */
async function checkPorts(ports: Ports): Promise<void> {
  const wanted: [string, number, string][] = [
    ['gateway', ports.gateway, 'or start with: npm start -- --port N'],
    ["gateway's admin page", adminPort, ''],
    ['shop', ports.storefront, 'or start with: npm start -- --storefront-port N'],
  ];
  for (const { name, defaultPort } of Object.values(demoDefinitions)) {
    wanted.push([`subgraph ${name}`, defaultPort, '']);
  }
  const problems: string[] = [];
  for (const [name, port, advice] of wanted) {
    if (!(await isFree(port))) problems.push(`  ${port} (${name}) ${advice}`.trimEnd());
  }
  if (problems.length === 0) return;
  const lines = ['These ports are in use. Is the demo running already? End what listens there:', ...problems];
  throw new StartError(lines.join('\n'));
}

function startGateway(port: number): ChildProcess {
  const args = ['gateway/cli.ts', 'serve', '--config', 'tributary.yaml', '--port', `${port}`];
  // At V8's default young generation of 16 MiB, its collection is the largest single cost of a busy gateway.
  return spawn(process.execPath, ['--max-semi-space-size=64', ...args], {
    cwd: root,
    // A process group of its own: Ctrl+C reaches this process only, which then stops the parts in order.
    detached: process.platform !== 'win32',
    // The gateway drains when the IPC channel closes, even if this process is killed.
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
}

async function waitUntilReady(url: string, gateway: ChildProcess): Promise<void> {
  const end = performance.now() + readyTimeoutMs;
  let reasons = '';
  while (performance.now() < end) {
    if (gateway.exitCode !== null || gateway.signalCode !== null) {
      throw new StartError('The gateway stopped while it started. Its log above has the reason.');
    }
    try {
      const response = await fetch(`${url}/health/ready`);
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
  const patience = setTimeout(() => gateway.kill('SIGKILL'), stopTimeoutMs);
  await exited;
  clearTimeout(patience);
}

function printAddresses(rows: readonly (readonly [string, string])[]): void {
  const width = Math.max(...rows.map(([name]) => name.length));
  console.log('');
  for (const [name, address] of rows) console.log(`  ${name.padEnd(width)}   ${address}`);
  console.log('\n  Ctrl+C ends everything.\n');
}

const closers: (() => Promise<void>)[] = [];

async function start(ports: Ports, signal: AbortSignal): Promise<ChildProcess> {
  await checkPorts(ports);
  // The first bundling takes some seconds; the subgraphs start meanwhile.
  const pages = Promise.all([ensureGraphiql(), ensureInsightsPage()]);
  pages.catch(() => {});
  const subgraphs = await startDemoSubgraphs({ host, faults: readDemoFaults(process.env) });
  closers.push(() => subgraphs.close());
  await pages;
  signal.throwIfAborted();

  const gateway = startGateway(ports.gateway);
  closers.push(() => stopGateway(gateway));
  const gatewayUrl = `http://${host}:${ports.gateway}`;
  await Promise.race([waitUntilReady(gatewayUrl, gateway), aborted(signal)]);

  const storefront = await startStorefront({
    port: ports.storefront,
    host,
    gatewayUrl: `${gatewayUrl}/graphql`,
  });
  closers.push(() => storefront.close());
  signal.throwIfAborted();

  printAddresses([
    ['Shop', storefront.url],
    ['Gateway', `${gatewayUrl}/graphql   (in a browser: GraphiQL)`],
    ['Insights', `http://${host}:${adminPort}/insights`],
    ...subgraphs.all.map(({ name, url }) => [`Subgraph ${name}`, url] as const),
  ]);
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

try {
  const gateway = await start(readPorts(), stop.signal);
  await Promise.race([once(gateway, 'exit'), aborted(stop.signal)]);
  console.error('The gateway stopped. Its log above has the reason.');
  process.exitCode = 1;
} catch (error) {
  if (!stop.signal.aborted) {
    console.error(error instanceof StartError ? error.message : error);
    process.exitCode = 1;
  }
} finally {
  await closeAll();
}
// All servers are closed. Idle connections of `fetch` may still keep the process alive.
process.exit();
