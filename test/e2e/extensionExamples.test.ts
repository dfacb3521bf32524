import { createHmac } from 'node:crypto';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import {
  acme,
  actions,
  admitted,
  allCalls,
  audit,
  callsOf,
  directory,
  gateway,
  linesOf,
  logLine,
} from '../harness/extensionGateway.ts';
import { postJson } from '../harness/postJson.ts';

describe('the examples of docs/extensions.md', () => {
  test('tenant: a request without a tenant is refused, whether its operation is known or not', async () => {
    const refused = {
      status: 401,
      body: { errors: [{ message: 'Send the header x-tenant.', extensions: { code: 'TENANT_REQUIRED' } }] },
    };
    expect(await gateway.execute('{ review }')).toEqual(refused);
    expect(await gateway.execute('{ review }')).toEqual(refused);
    expect(allCalls()).toEqual([]);
  });

  test('tenant: clients of different tenants share no call, and clients of one tenant do', async () => {
    const gate = gateway.subgraph('reviews').hold('Query.review');
    const responses = ['a', 'b', 'a'].map((tenant) =>
      gateway.execute('{ review }', { headers: { 'x-tenant': tenant } }),
    );
    await gateway.subgraph('reviews').waitForCalls(2);
    gate.open();
    expect((await Promise.all(responses)).map(({ body }) => body.data)).toEqual(
      Array.from({ length: 3 }, () => ({ review: 'good' })),
    );
    expect(callsOf('reviews').map(({ headers }) => headers['x-tenant-id'])).toEqual(['a', 'b']);
  });

  test('users: headers are set from the context, and deleted for one subgraph', async () => {
    gateway.subgraph('products').answerWith(() => ({
      kind: 'json',
      body: { data: { product: { __typename: 'Product', id: '1', name: 'Pot' } }, extensions: { secret: 1 } },
    }));
    const headers = { ...acme.headers, authorization: 'Bearer bob' };
    const { body } = await gateway.execute('{ product { name rating } }', { headers });
    expect(body).toEqual({ data: { product: { name: 'Pot', rating: 5 } }, ...audit });
    expect(
      callsOf('products', 'reviews').map(({ headers: { authorization, 'x-user': user } }) => ({
        authorization,
        user,
      })),
    ).toEqual([
      { authorization: 'Bearer bob', user: 'bob' },
      { authorization: undefined, user: 'bob' },
    ]);
  });

  test('slowPlans: operations with many fetches are logged, with the module as the extension', async () => {
    await gateway.execute('query Rated { product { rating } }', acme);
    await gateway.execute('{ review }', acme);
    expect(linesOf('An operation needs many fetches')).toMatchObject([
      { operation: 'Rated', fetches: 2, extension: join(directory, 'extensions/slowPlans.ts') },
    ]);
  });

  test('fetchLimit: an operation with too many fetches is refused before anything is fetched', async () => {
    const { status, body } = await gateway.execute('{ product { name rating stock } }', acme);
    expect([status, body]).toEqual([
      400,
      {
        errors: [
          {
            message: 'Select less.',
            extensions: { code: 'TOO_MANY_FETCHES', fetches: 3, allowed: 2 },
          },
        ],
        ...audit,
      },
    ]);
    expect(allCalls()).toEqual([]);
  });

  test('signature: the subgraph can verify the body', async () => {
    await gateway.execute('{ review }', acme);
    const [call] = callsOf('reviews');
    const text = JSON.stringify({ query: call?.query, variables: call?.variables });
    const digest = createHmac('sha256', 'key').update(text).digest('hex');
    expect(call?.headers['x-signature']).toBe(`sha256=${digest}`);
  });

  test('legacyErrors: a result is replaced for every client that shares the call', async () => {
    const gate = Promise.withResolvers<void>();
    actions.set('onSubgraphRequest', () => gate.promise);
    const body = { data: null, extensions: { error: 'too old' } };
    gateway.subgraph('reviews').answerWith(() => ({ kind: 'json', body }));
    const responses = [gateway.execute('{ review }', acme), gateway.execute('{ review }', acme)];
    gate.resolve();
    const answer = {
      data: { review: null },
      errors: [{ message: 'too old', path: ['review'], extensions: { code: 'SUBGRAPH_ERROR' } }],
      ...audit,
    };
    expect((await Promise.all(responses)).map((each) => each.body)).toEqual([answer, answer]);
    expect(callsOf('reviews')).toHaveLength(1);
  });

  test('legacyErrors: a refused response fails its fields only', async () => {
    gateway.subgraph('reviews').answerWith(() => ({ kind: 'json', status: 451, body: {} }));
    expect(await gateway.execute('{ product { name rating } }', acme)).toEqual({
      status: 200,
      body: {
        data: { product: { name: 'Pan', rating: null } },
        errors: [
          {
            message: 'Not available in your country.',
            path: ['product', 'rating'],
            extensions: { code: 'UNAVAILABLE' },
          },
        ],
        ...audit,
      },
    });
  });

  test('audit: a response gets a header and extensions, and payloads are observed one by one', async () => {
    const response = await postJson(gateway.url, { query: '{ review }' }, acme.headers);
    expect([response.headers.get('x-errors'), await response.json()]).toEqual([
      '0',
      { data: { review: 'good' }, ...audit },
    ]);
    await using deferred = await gateway.executeIncrementally(
      '{ product { name ... @defer { rating } } }',
      acme,
    );
    const payloads = await deferred.remaining();
    expect(linesOf('A payload is sent')).toMatchObject(
      payloads.map((payload, index) => ({ index, length: JSON.stringify(payload).length, requestId: 'r1' })),
    );
    expect(payloads).toHaveLength(2);
  });

  test('completeGraph: a supergraph is refused with the reason, and the gateway continues with its own', async () => {
    const sdl = await readFile(gateway.supergraphFile, 'utf8');
    const refused = logLine('The new supergraph was refused');
    const next = `${gateway.supergraphFile}.next`;
    await writeFile(next, sdl.replace(/^ {2}product: Product .*\n/m, ''));
    await rename(next, gateway.supergraphFile);
    expect(JSON.stringify(await refused)).toContain(
      'The extension \\"complete-graph\\" refuses the supergraph: it has no Query.product',
    );
    expect((await gateway.execute('{ product { name } }', acme)).status).toBe(200);
    // Only the first supergraph reached the extensions after the one that refuses.
    expect(admitted).toStrictEqual([undefined]);
  });

  test('flags: routes of both listeners, and readiness', async () => {
    const url = new URL('/flags/maintenance', gateway.url);
    const adminUrl = new URL('/flags/maintenance', gateway.adminUrl);
    const ready = new URL('/health/ready', gateway.adminUrl);
    expect(await (await fetch(url)).json()).toEqual({ maintenance: false });
    const set = async (value: boolean) =>
      (await fetch(adminUrl, { method: 'PUT', body: JSON.stringify(value) })).status;
    expect([await set(true), (await fetch(url, { method: 'PUT' })).status]).toEqual([204, 405]);
    const unready = await fetch(ready);
    expect([unready.status, await unready.json()]).toEqual([
      503,
      {
        status: 'not ready',
        reasons: [{ code: 'EXTENSION_NOT_READY', message: 'flags: maintenance has begun' }],
      },
    ]);
    await set(false);
    expect((await fetch(ready)).status).toBe(200);
  });
});
