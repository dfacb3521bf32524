import { expect, test } from '@jest/globals';
import { startStorefront } from '../../../storefront/serve.ts';
import { exchange, RawConnection } from '../../harness/rawHttp.ts';

test("the shop's server refuses to serve the demo's controls on a host that is not loopback", async () => {
  const options = { port: 0, host: '0.0.0.0', gatewayUrl: 'http://127.0.0.1:1/graphql', demo: () => {} };
  await expect(startStorefront(options)).rejects.toThrow(
    'The demo\'s controls are served only on a loopback host, not on "0.0.0.0".',
  );
});

test("the shop's server rejects a request target that is no URL, and continues to serve", async () => {
  const { url, close } = await startStorefront({ port: 0, gatewayUrl: 'http://127.0.0.1:1/graphql' });
  const upgrade = { connection: 'upgrade', upgrade: 'websocket' };
  const statusOf = async (path: string, headers = {}) =>
    (await exchange(url, { method: 'GET', path, headers })).status;
  expect([await statusOf('//'), await statusOf('//', upgrade), await statusOf('/')]).toEqual([400, 404, 200]);
  await close();
});

test("the shop's server continues to serve when a client resets the connection of a handshake that it refuses", async () => {
  const { url, close } = await startStorefront({ port: 0, gatewayUrl: 'http://127.0.0.1:1/graphql' });
  const connection = await RawConnection.open(url);
  connection.send({
    method: 'GET',
    path: '/other',
    headers: { connection: 'upgrade', upgrade: 'websocket' },
  });
  connection.socket.resetAndDestroy();
  await connection.waitForClose();
  expect((await exchange(url, { method: 'GET', path: '/' })).status).toBe(200);
  await close();
});
