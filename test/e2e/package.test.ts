import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { startDemoSubgraphs } from '../../subgraphs/demo.ts';

const root = join(import.meta.dirname, '../..');
// Inside node_modules, so that the built package finds its dependencies.
const cache = join(root, 'node_modules/.cache');
const buildTimeoutMs = 300_000;

let out: string;
beforeAll(async () => {
  await mkdir(cache, { recursive: true });
  out = await mkdtemp(join(cache, 'built-'));
  await promisify(execFile)(process.execPath, ['scripts/build.ts', '--out', out], { cwd: root });
}, buildTimeoutMs);
afterAll(() => rm(out, { recursive: true, force: true }));

describe('the built package', () => {
  test('serves the demo configuration with GraphiQL, and exits at SIGTERM', async () => {
    const subgraphs = await startDemoSubgraphs({ ports: 0 });
    const urls = subgraphs.all.map(({ name, url }) => [`${name.toUpperCase()}_URL`, url]);
    const gateway = spawn(
      process.execPath,
      [join(out, 'gateway/cli/launch.js'), 'serve', '--config', 'tributary.yaml'],
      {
        cwd: root,
        env: { ...process.env, TRIBUTARY_PORT: '0', TRIBUTARY_ADMIN_PORT: '0', ...Object.fromEntries(urls) },
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    const ended = once(gateway, 'exit');
    try {
      let url = '';
      for await (const line of createInterface(gateway.stdout)) {
        url = /listens on (\S+)/.exec(line)?.[1] ?? '';
        if (url !== '') break;
      }
      const response = await fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{"query":"{ product(id: \\"p1\\") { name reviews(first: 1) { rating } } }"}',
      });
      expect(await response.json()).toEqual({
        data: { product: { name: 'Cast-Iron Skillet, 24 cm', reviews: [{ rating: expect.any(Number) }] } },
      });
      const page = await fetch(url, { headers: { accept: 'text/html' } });
      const script = await fetch(new URL('/graphiql/app.js', url));
      expect([page.status, await page.text(), script.status]).toEqual([
        200,
        expect.stringContaining('/graphiql/app.js'),
        200,
      ]);
    } finally {
      gateway.kill('SIGTERM');
      expect(await ended).toEqual([0, null]);
      await subgraphs.close();
    }
  });
});
