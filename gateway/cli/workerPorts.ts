import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';
import type { GatewayConfig } from '../config/schema.ts';
import { listenAll, toListenError } from '../transport/http/listenError.ts';

/** Environment variable of workers. */
const portsVariable = 'TRIBUTARY_WORKERS_PORTS';

/** Chooses free ports for port 0, and checks that the others are free: the workers would share a port with workers of
 *  another gateway. Returns the environment variables for the workers.
 *  @throws when ports are not available. */
export async function chooseWorkerPorts({
  listen,
  admin,
}: GatewayConfig): Promise<Readonly<Record<string, string>>> {
  const addresses = [
    { option: 'listen.port', ...listen },
    { option: 'admin.port', ...admin },
  ] as const;
  const servers = addresses.map(({ port, host }) => createServer().listen(port, host));
  try {
    await listenAll(
      addresses.map(async (address, index) => {
        await once(servers[index] as Server, 'listening').catch((error: unknown) => {
          throw toListenError(error, address);
        });
      }),
    );
    const ports = servers.map((server) => (server.address() as AddressInfo).port);
    return { [portsVariable]: ports.join(' ') };
  } finally {
    await Promise.all(
      servers.filter(({ listening }) => listening).map((server) => once(server.close(), 'close')),
    );
  }
}

/** The configuration with the ports that the supervisor has chosen. */
export function withWorkerPorts(config: GatewayConfig): GatewayConfig {
  const [port = config.listen.port, adminPort = config.admin.port] = (process.env[portsVariable] ?? '')
    .split(' ')
    .map(Number);
  return {
    ...config,
    listen: { ...config.listen, port },
    admin: { ...config.admin, port: adminPort },
  };
}
