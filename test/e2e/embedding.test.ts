import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { IncomingMessage, RequestListener, Server } from 'node:http';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fastify from 'fastify';
import { closeHttpServer, createHttpServer } from '../../docs/examples/embedding/nodeHttp.ts';
import {
  ConfigError,
  createGateway,
  defineExtension,
  type Gateway,
  type GatewayOptions,
  type ReadIdentity,
} from '../../gateway/gateway.ts';
import { startInlineGateway } from '../harness/inlineGateway.ts';
import {
  createMounted,
  lamp,
  listen,
  nameAt,
  overWebSocket,
  post,
  serving,
  shop,
  statusOf,
} from '../harness/mountedGateway.ts';
import { exchange, RawConnection } from '../harness/rawHttp.ts';
import { startTokenIssuer } from '../harness/tokenIssuer.ts';

describe('the example for node:http', () => {
  let gateway: Gateway;
  let server: Server;
  let origin: string;
  beforeAll(async () => {
    gateway = await createMounted();
    server = await createHttpServer(gateway);
    origin = await listen(server);
  });
  afterAll(() => closeHttpServer(gateway, server));

  test('serves operations, WebSockets and health routes below the prefix, and other pages beside it', async () => {
    expect(await post(`${origin}/shop/graphql`, '{ name }')).toEqual({ status: 200, body: lamp });
    expect(await overWebSocket(`${origin}/shop/graphql`, '{ name }')).toEqual([lamp]);
    expect(await (await fetch(`${origin}/shop/health/live`)).json()).toEqual({ status: 'live' });
    expect(await statusOf(`${origin}/shop/enrichments/none`)).toBe(404);
    expect(await statusOf(`${origin}/shop/elsewhere`)).toBe(404);
    expect(await (await fetch(`${origin}/shop`)).text()).toBe('Another page of this server');
  });

  test("answers at Apollo Server's health URL with its body", async () => {
    const response = await fetch(`${origin}/shop/.well-known/apollo/server-health`);
    expect([response.status, response.headers.get('content-type'), await response.text()]).toEqual([
      200,
      'application/health+json; charset=utf-8',
      '{"status":"pass"}',
    ]);
  });

  test.each([
    ['/shop/elsewhere', 'websocket', {}, 404],
    ['/graphql', 'websocket', {}, 404],
    ['/shop/graphql', 'h2c', {}, 400],
    // Of a request with a body, Node has no socket for the upgrade.
    ['/shop/elsewhere', 'websocket', { 'content-length': '5' }, 404],
    ['/shop/graphql', 'websocket', { 'content-length': '5' }, 400],
  ])('refuses an upgrade of %s to %s with %j: %d', async (path, upgrade, own, status) => {
    const headers = { connection: 'upgrade', upgrade, ...own };
    const response = await exchange(origin, { method: 'GET', path, headers });
    expect(response.status).toBe(status);
  });
});

describe('a mounted gateway', () => {
  test('says that it has not started, and that it has closed', async () => {
    const gateway = await createMounted();
    await serving(gateway.handler, async (origin) => {
      const refusal = async () => {
        const { status, body } = await post(`${origin}/graphql`, '{ name }');
        return [status, body.errors[0].extensions.code];
      };
      expect(await refusal()).toEqual([503, 'SUPERGRAPH_UNAVAILABLE']);
      const { url, adminUrl } = await gateway.start({ listen: false, admin: false });
      expect([url, adminUrl]).toStrictEqual([undefined, undefined]);
      await gateway.close();
      expect(await refusal()).toEqual([503, 'SHUTTING_DOWN']);
    });
  });

  test('has its admin listener on its own port', async () => {
    await using gateway = await createMounted();
    const { url, adminUrl } = await gateway.start({ listen: false });
    expect([url, await statusOf(`${adminUrl}/supergraph`)]).toStrictEqual([undefined, 200]);
  });

  test('works as middleware, and explains that a body parser came before it', async () => {
    await using gateway = await createMounted();
    await gateway.start({ listen: false, admin: false });
    const parseBody = async (request: IncomingMessage) => {
      if (request.headers['x-parse'] !== undefined) await text(request);
    };
    const app: RequestListener = async (request, response) => {
      await parseBody(request);
      gateway.handler(request, response, () => void response.writeHead(418).end());
    };
    await serving(app, async (origin) => {
      expect(await post(`${origin}/graphql`, '{ name }')).toEqual({ status: 200, body: lamp });
      expect((await exchange(origin, nameAt(`${origin}/graphql`))).body).toBe(JSON.stringify(lamp));
      expect(await statusOf(`${origin}/elsewhere`)).toBe(418);
      expect((await exchange(origin, nameAt(`${origin}/elsewhere`))).status).toBe(418);
      const parsed = await fetch(`${origin}/graphql`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-parse': 'yes' },
        body: '{"query":"{ name }"}',
      });
      expect([parsed.status, await parsed.json()]).toEqual([
        500,
        {
          errors: [
            {
              message:
                'The request body was read before the request reached the gateway. Mount the gateway before body parsers such as express.json().',
              extensions: { code: 'INTERNAL_SERVER_ERROR' },
            },
          ],
        },
      ]);
    });
  });

  test('serves the routes of extensions as middleware, with every form of path', async () => {
    const paths = ['/files/*', '/a.b/:id?', '/users/:id(^\\d+$)', '/range/:from-:to', '/names::all', '/(x)+'];
    const publicRoutes = paths.map((path) => {
      const handle = (_: Request, params: object) => Response.json([path, params]);
      return { method: 'GET' as const, path, handle };
    });
    const extra = { method: 'PUT' as const, path: '/files/:name', handle: () => new Response() };
    const extension = defineExtension({ name: 'files', publicRoutes: [...publicRoutes, extra] });
    await using gateway = await createMounted({ extensions: [extension] });
    await gateway.start({ listen: false, admin: false });
    const app: RequestListener = (request, response) =>
      gateway.handler(request, response, () => void response.writeHead(418).end());
    await serving(app, async (origin) => {
      const answerOf = async (path: string, method = 'GET') => {
        const response = await fetch(`${origin}${path}`, { method });
        if (response.status !== 200) return [response.status, response.headers.get('allow')];
        return (await response.json()) as unknown;
      };
      expect(await answerOf('/files/a/b.txt')).toEqual(['/files/*', { '*': 'a/b.txt' }]);
      expect(await answerOf('/a.b')).toEqual(['/a.b/:id?', {}]);
      expect(await answerOf('/a.b/7')).toEqual(['/a.b/:id?', { id: '7' }]);
      expect(await answerOf('/users/7')).toEqual(['/users/:id(^\\d+$)', { id: '7' }]);
      expect(await answerOf('/users/x')).toEqual([404, null]);
      expect(await answerOf('/range/1-2')).toEqual(['/range/:from-:to', { from: '1', to: '2' }]);
      expect(await answerOf('/names:all')).toEqual(['/names::all', {}]);
      expect(await answerOf('/(x)+')).toEqual(['/(x)+', {}]);
      for (const path of ['/files', '/axb', '/a.b/7/8', '/namesxall', '/xx']) {
        expect([path, await answerOf(path)]).toEqual([path, [418, null]]);
      }
      expect(await answerOf('/files/a/b.txt', 'POST')).toEqual([405, 'GET, HEAD']);
      expect(await answerOf('/files/a', 'POST')).toEqual([405, 'GET, HEAD, PUT']);
      expect(await answerOf('/a.b', 'POST')).toEqual([405, 'GET, HEAD']);
    });
  });

  test('does not wait for a client that has disconnected while other middleware ran', async () => {
    const gateway = await createMounted({ listen: { drainTimeout: '5m' } });
    await gateway.start({ listen: false, admin: false });
    const arrived = Promise.withResolvers<void>();
    const passedOn = Promise.withResolvers<void>();
    const app: RequestListener = async (request, response) => {
      arrived.resolve();
      await once(response, 'close');
      gateway.handler(request, response);
      passedOn.resolve();
    };
    await serving(app, async (origin) => {
      await using connection = await RawConnection.open(origin);
      connection.send(nameAt('/graphql'));
      await arrived.promise;
      connection.socket.destroy();
      await passedOn.promise;
      await gateway.close();
    });
  });

  test('keeps the `vary` of middleware in a response that caches may store', async () => {
    await using gateway = await createMounted({
      cache: { rules: { 'subgraph:products': { maxAge: '1m' } } },
    });
    await gateway.start({ listen: false, admin: false });
    const app: RequestListener = (request, response) => {
      response.setHeader('vary', ['Origin', 'X-Region']);
      gateway.handler(request, response);
    };
    await serving(app, async (origin) => {
      const { headers } = await exchange(origin, nameAt('/graphql'));
      expect(headers.get('cache-control')).toBe('public, max-age=60');
      expect(headers.get('vary')).toMatch(/^origin, x-region, /);
    });
  });
});

test('a gateway without options is refused like one with empty options', async () => {
  const problems = [expect.objectContaining({ path: 'supergraph', message: 'is missing' })];
  for (const options of [undefined, {}]) {
    const creating = createGateway(options as unknown as GatewayOptions);
    await expect(creating).rejects.toBeInstanceOf(ConfigError);
    await expect(creating).rejects.toMatchObject({ problems });
  }
});

test.each([
  [null, 'dependencies is not an object; expected: an object, or nothing'],
  [
    { plugin: [] },
    'dependencies.plugin is not known; did you mean `plugins`?; expected: one of plugins, logger',
  ],
  [{ logger: console }, 'dependencies.logger cannot be used; expected: a pino logger'],
  // It has the methods for lines, and does nothing.
  [{ logger: fastify().log }, 'dependencies.logger cannot be used; expected: a pino logger'],
  [{ plugins: [null] }, 'dependencies.plugins cannot be used; expected: a list of Apollo Server plugins'],
  [{ readIdentity: 'ada' }, 'dependencies.readIdentity cannot be used; expected: a function'],
])('a gateway with the dependencies %p is refused: %s', async (dependencies, message) => {
  const creating = createGateway({ supergraph: { file: shop.supergraphFile } }, dependencies as never);
  await expect(creating).rejects.toBeInstanceOf(ConfigError);
  await expect(creating).rejects.toThrow(message);
});

test('an application that reads who sent a request needs no security.jwt to send claims to subgraphs', async () => {
  const options = {
    supergraph: { file: shop.supergraphFile, watch: false },
    subgraphs: { all: { headers: { rules: [{ set: 'x-user', claim: 'sub' }] } } },
    telemetry: { logLevel: 'silent' as const },
  };
  await expect(createGateway(options)).rejects.toThrow(
    'subgraphs.all.headers.rules[0].claim is "sub", but no token is verified',
  );
  const readIdentity: ReadIdentity = () => ({ identity: 'a', tokenOwner: 'a', clientKey: 'a', claims: {} });
  const gateway = await createGateway(options, { readIdentity });
  await gateway.close();
});

test('an application that reads who sent a request gets the verified token with `security.jwt`, which stays required', async () => {
  await using issuer = await startTokenIssuer();
  const users: unknown[] = [];
  const readIdentity: ReadIdentity = (_, __, token) => {
    users.push(token?.claims.sub);
    return { identity: 'a', tokenOwner: 'a', clientKey: 'a' };
  };
  await using gateway = await startInlineGateway({
    subgraphs: [{ name: 'a', sdl: 'type Query { one: Int }', resolvers: { Query: { one: () => 1 } } }],
    config: { security: { jwt: { issuers: [{ jwks: issuer.jwks }], required: true } } },
    dependencies: { readIdentity },
  });
  const statusWith = async (authorization: string) =>
    (await gateway.execute('{ one }', { headers: { authorization } })).status;
  const token = await issuer.sign({ sub: 'ada' });
  const statuses = [
    await statusWith(''),
    await statusWith(`Bearer ${token}x`),
    await statusWith(`Bearer ${token}`),
  ];
  expect([statuses, users]).toEqual([[401, 401, 200], ['ada']]);
});

test.each(['nodeHttp.ts', 'fastify.ts', 'supergraphManager.ts'])(
  'docs/embedding.md shows the example %s as it is run here',
  (file) => {
    const root = new URL('../../', import.meta.url);
    const example = readFileSync(new URL(`docs/examples/embedding/${file}`, root), 'utf8');
    const page = readFileSync(new URL('docs/embedding.md', root), 'utf8');
    expect(page).toContain(
      `\`\`\`ts\n${example.replace('../../../gateway/gateway.ts', 'tributary-gateway')}\`\`\``,
    );
  },
);
