import { once } from 'node:events';
import { createServer } from 'node:net';

/** Whether a server could listen on this TCP port of the loopback interface. */
export async function isPortFree(port: number): Promise<boolean> {
  const server = createServer();
  const listening = once(server, 'listening');
  server.listen(port, '127.0.0.1');
  try {
    await listening;
  } catch {
    return false;
  }
  server.close();
  await once(server, 'close');
  return true;
}
