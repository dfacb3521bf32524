import { expect, test } from '@jest/globals';
import { ClientDisconnectedError } from '../../../gateway/admission/httpError.ts';
import { silentLog, startScriptedServer } from '../../harness/scriptedServer.ts';

/** Sends a request to a route that fails with an error, of the public and of the admin listener. */
async function request(error: Error, init: RequestInit = {}) {
  const logged: unknown[] = [];
  const addRoutes: NonNullable<Parameters<typeof startScriptedServer>[1]>['addAdminRoutes'] = (routes) => {
    routes.post('/failing/:id', () => Promise.reject(error));
  };
  await using server = await startScriptedServer(undefined, {
    log: { ...silentLog, error: (...entry) => logged.push(entry) },
    addPublicRoutes: addRoutes,
    addAdminRoutes: addRoutes,
  });
  const responses: unknown[] = [];
  for (const url of [server.url, server.adminUrl]) {
    const response = await fetch(new URL('/failing/1', url), { method: 'POST', ...init });
    responses.push([response.status, await response.json()]);
  }
  return { responses, logged };
}

test('a fault of a route is logged with its stack, and its message is not sent to the client', async () => {
  const err = new TypeError('run is undefined');
  const refusal = [500, { error: 'Internal server error' }];
  const line = [{ err, method: 'POST', path: '/failing/:id' }, 'A request failed with an unexpected error'];
  expect(await request(err)).toEqual({ responses: [refusal, refusal], logged: [line, line] });
});

test('the disconnection of a client while a route reads its request is not logged', async () => {
  expect((await request(new ClientDisconnectedError())).logged).toEqual([]);
});

test('a request that Fastify refuses gets the reason, and is not logged', async () => {
  const refused = await request(new Error(), { body: '<a/>', headers: { 'content-type': 'text/xml' } });
  const refusal = [415, expect.objectContaining({ message: 'Unsupported Media Type' })];
  expect(refused).toEqual({ responses: [refusal, refusal], logged: [] });
});
