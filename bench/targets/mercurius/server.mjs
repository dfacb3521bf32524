/** Mercurius with `@mercuriusjs/gateway`. JavaScript, because its packages are not installed where types are checked.
 *  Environment: PORT; SERVICES, the JSON of a list of `{ name, url, schema }` with SDL of Federation 1. */
import mercuriusGateway from '@mercuriusjs/gateway';
import Fastify from 'fastify';

const services = JSON.parse(process.env.SERVICES).map((service) => ({
  ...service,
  connections: 100,
  rewriteHeaders: ({ authorization }) => (authorization === undefined ? {} : { authorization }),
}));
const app = Fastify();
await app.register(mercuriusGateway, { jit: 1, gateway: { services } });
await app.listen({ host: '127.0.0.1', port: Number(process.env.PORT) });
