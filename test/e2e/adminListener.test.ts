import { describe, expect, test } from '@jest/globals';
import { startInlineGateway } from '../harness/inlineGateway.ts';
import { exchange } from '../harness/rawHttp.ts';
import { disposeAfterSuite } from '../harness/suiteResources.ts';

const gateway = await startInlineGateway({
  subgraphs: [{ name: 'shop', sdl: 'type Query { name: String }' }],
});
disposeAfterSuite(gateway);

const send = (method: string, path: string, headers: Readonly<Record<string, string>>) =>
  exchange(gateway.adminUrl, { method, path, headers });

describe('the admin listener on a loopback address', () => {
  test.each(['127.0.0.1:4001', 'localhost:4001', 'gateway.localhost', '[::1]:4001', '192.0.2.1'])(
    'answers requests for the host %s',
    async (host) => {
      expect((await send('GET', '/supergraph', { host })).status).toBe(200);
    },
  );

  test.each([
    ['GET', '/supergraph'],
    ['GET', '/health/live'],
    ['POST', '/jobs/1/retry'],
  ])('refuses %s %s for a host name that may be that of a page (DNS rebinding)', async (method, path) => {
    for (const host of [
      'attacker.example:4001',
      'localhost.attacker.example',
      '127.0.0.1.attacker.example',
    ]) {
      const { status, body } = await send(method, path, { host });
      expect([status, body]).toEqual([403, expect.stringContaining('admin.host')]);
    }
  });

  test.each(['https://attacker.example', 'http://localhost:1', 'null'])(
    'refuses pages of the origin %s',
    async (origin) => {
      for (const method of ['GET', 'POST']) {
        const path = method === 'GET' ? '/supergraph' : '/jobs/1/retry';
        expect((await send(method, path, { host: 'localhost:4001', origin })).status).toBe(403);
      }
    },
  );

  test('answers pages of its own origin', async () => {
    const headers = { host: 'localhost:4001', origin: 'http://localhost:4001' };
    expect((await send('GET', '/supergraph', headers)).status).toBe(200);
  });
});
