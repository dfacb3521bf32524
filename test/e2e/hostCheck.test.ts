import { once } from 'node:events';
import { expect, test } from '@jest/globals';
import WebSocket from 'ws';
import { exchange } from '../harness/rawHttp.ts';
import { startScriptedServer } from '../harness/scriptedServer.ts';

const security = { checkHost: true };

const foreignHosts = ['attacker.example:4000', 'localhost.attacker.example', '127.0.0.1.attacker.example'];

/** The status of an operation that is sent for this host. */
async function statusFor(url: string, host: string): Promise<number> {
  const headers = { host, 'content-type': 'application/json' };
  return (await exchange(url, { headers, body: '{"query":"{ greeting }"}' })).status;
}

test('A listener on a loopback address that checks the host of requests refuses every request for a name of the Internet', async () => {
  await using server = await startScriptedServer(undefined, { security });
  for (const host of foreignHosts) {
    for (const request of [
      { path: '/graphql?query={greeting}', headers: { host, 'apollo-require-preflight': '1' } },
      { path: '/graphql', headers: { host, accept: 'text/html' } },
      { path: '/health/live', headers: { host } },
      { path: '/nowhere', headers: { host } },
    ]) {
      const { status, headers, body } = await exchange(server.url, { method: 'GET', ...request });
      expect([status, headers.get('connection'), JSON.parse(body)]).toEqual([
        403,
        'close',
        {
          errors: [
            {
              message: `The host of the request, "${host}", is neither localhost, nor an address, nor the host of listen.publicUrl, although only this machine can connect (listen.host, security.checkHost). Behind a tunnel or proxy that sends its own host, set listen.publicUrl to its address.`,
              extensions: { code: 'BAD_REQUEST' },
            },
          ],
        },
      ]);
    }
    expect(await statusFor(server.url, host)).toBe(403);
    const headers = { host, origin: `http://${host}` };
    const socket = new WebSocket(server.url.replace('http', 'ws'), 'graphql-transport-ws', { headers });
    const [, response] = await once(socket, 'unexpected-response');
    response.resume();
    expect(response.statusCode).toBe(403);
  }
});

test('A listener that checks the host of requests answers those for localhost, addresses and listen.publicUrl', async () => {
  const listen = { publicUrl: 'https://Tunnel.example/base' };
  await using server = await startScriptedServer(undefined, { security, listen });
  const hosts = [
    'localhost:1',
    'gateway.localhost',
    '[::1]:4000',
    '192.0.2.1',
    'tunnel.example',
    'tunnel.example:8443',
  ];
  for (const host of hosts) expect([host, await statusFor(server.url, host)]).toEqual([host, 200]);
  expect(await statusFor(server.url, 'other.example')).toBe(403);
});

test('A listener that other machines can connect to, or that does not check the host, answers requests for any', async () => {
  for (const options of [{ security, listen: { host: '0.0.0.0' } }, {}]) {
    await using server = await startScriptedServer(undefined, options);
    const url = server.url.replace('0.0.0.0', '127.0.0.1');
    for (const host of foreignHosts) expect(await statusFor(url, host)).toBe(200);
  }
});
