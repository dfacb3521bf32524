import type { Routes } from '../transport/http/routes.ts';

/** `GET /contracts` of the admin listener: what guards the contracts, and what it has found. */
export function addContractsRoute(server: Routes, describe: () => object): void {
  server.get('/contracts', async () => describe());
}
