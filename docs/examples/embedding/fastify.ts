import fastify, { type FastifyInstance } from 'fastify';
import type { Gateway } from '../../../gateway/gateway.ts';

/** Creates a Fastify instance with the gateway, its WebSockets included, below `/shop`. */
export async function createApp(gateway: Gateway): Promise<FastifyInstance> {
  const app = fastify();
  app.get('/', async () => 'Another page of this server');
  await app.register(gateway.fastifyPlugin, { prefix: '/shop' });
  app.addHook('preClose', () => gateway.close());
  await gateway.start({ listen: false });
  return app;
}
