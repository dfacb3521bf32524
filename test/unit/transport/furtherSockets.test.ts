import { once } from 'node:events';
import { createServer, get } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { FurtherSockets } from '../../../gateway/transport/http/furtherSockets.ts';

// On other systems, each port has one socket.
const testOnLinux = process.platform === 'linux' ? test : test.skip;

testOnLinux(
  'further sockets accept the connections of many clients within a few turns of the event loop, and answer them',
  async () => {
    const server = createServer((_request, response) => response.end('answer'));
    server.listen({ port: 0, host: '127.0.0.1', reusePort: true });
    await once(server, 'listening');
    const address = server.address() as AddressInfo;
    const furtherSockets = new FurtherSockets();
    await furtherSockets.listen(address, server, { allowHalfOpen: true });
    let accepted = 0;
    server.on('connection', () => {
      accepted++;
    });

    const clients = Array.from({ length: 100 }, () => connect(address.port, address.address));
    let turns = 0;
    while (accepted < clients.length) {
      const before = accepted;
      await nextTurn();
      // On a busy machine, the system takes more turns to establish the connections.
      if (accepted > before) turns++;
    }
    // With a single socket, there would be a turn for each.
    expect(turns).toBeLessThan(clients.length / 2);

    for (const client of clients) client.write('GET / HTTP/1.1\r\nHost: test\r\n\r\n');
    const answers = await Promise.all(clients.map(async (client) => String(await once(client, 'data'))));
    expect(answers).toEqual(clients.map(() => expect.stringMatching(/^HTTP\/1\.1 200 OK\r\n.*answer/s)));

    const furtherClosed = furtherSockets.close();
    const closed = once(server.close(), 'close');
    server.closeIdleConnections();
    await Promise.all([furtherClosed, closed]);
    const refused = once(get({ port: address.port, host: address.address }), 'response');
    await expect(refused).rejects.toThrow('ECONNREFUSED');
  },
);

testOnLinux('further sockets report that the port is not available', async () => {
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  const furtherSockets = new FurtherSockets();
  const listening = furtherSockets.listen(other.address() as AddressInfo, other, { allowHalfOpen: true });
  await expect(listening).rejects.toThrow('EADDRINUSE');
  await furtherSockets.close();
  other.close();
  await once(other, 'close');
});
