import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';
import { readDemoFaults, startDemoSubgraphs } from '../../../subgraphs/demo.ts';

function run(
  file: string,
  environment: Record<string, string>,
): ChildProcessByStdio<null, Readable, Readable> {
  const path = fileURLToPath(new URL(`../../../subgraphs/${file}`, import.meta.url));
  const env = { ...process.env, ...environment };
  return spawn(process.execPath, [path], { env, stdio: ['ignore', 'pipe', 'pipe'] });
}

test('only recommendations are slow in the demo by default, and the environment adds faults', () => {
  expect(readDemoFaults({ FAULTS_REVIEWS: '*=error:0.1' })).toEqual({
    accounts: '',
    products: '',
    inventory: '',
    reviews: '*=error:0.1',
    recommendations: 'Product.recommended=latency:1500',
  });
});

test('a demo that cannot start completely leaves no subgraph running', async () => {
  const first = await startDemoSubgraphs({ ports: 0 });
  const { port } = first.reviews;
  await first.close();
  const wrong = startDemoSubgraphs({
    ports: { accounts: 0, products: 0, inventory: 0, reviews: port, recommendations: 0 },
    faults: { accounts: 'Account.nothing=hang' },
  });
  await expect(wrong).rejects.toThrow('Account.nothing: this subgraph has no such field');
  await expect(fetch(`http://127.0.0.1:${port}/health`)).rejects.toThrow('fetch failed');
});

test('`node subgraphs/demo.ts` prints its addresses, serves, and ends on SIGTERM', async () => {
  const child = run('demo.ts', { PORT: '0' });
  const names = ['accounts', 'products', 'inventory', 'reviews', 'recommendations'];
  const exit = once(child, 'exit');
  const lines: string[] = [];
  for await (const line of createInterface(child.stdout)) {
    lines.push(line);
    if (lines.length === names.length) break;
  }
  const addresses = lines.map((line) => line.split(/\s+/));
  expect(addresses.map(([name]) => name)).toEqual(names);
  for (const [name, url = ''] of addresses) {
    expect(await (await fetch(new URL('/health', url))).json()).toEqual({ name });
  }
  child.kill('SIGTERM');
  expect(await exit).toEqual([0, null]);
});

test.each([
  [
    { PORT: '0', FAULTS: 'Review.ratting=latency:5' },
    'Review.ratting: this subgraph has no such field; name a Type.field of it, or *\n',
  ],
  [{ PORT: 'many' }, 'PORT: must be a whole number from 0 to 65535, not "many"\n'],
])('`node subgraphs/reviews/server.ts` ends with 2 and the reason for %j', async (environment, reason) => {
  const child = run('reviews/server.ts', environment);
  const [[code], message] = await Promise.all([once(child, 'exit'), text(child.stderr)]);
  expect({ code, message }).toEqual({ code: 2, message: reason });
});
