import type { FastifyInstance } from 'fastify';

/** `GET /contracts` of the admin listener: what guards the contracts, and what it has found. */
export function addContractsRoute(server: FastifyInstance, describe: () => object): void {
  server.get('/contracts', async () => describe());
}
