import { execFile } from 'node:child_process';
import dns from 'node:dns';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { promisify } from 'node:util';
import type { SupergraphManager } from '@apollo/gateway';
import { describe, expect, jest, test } from '@jest/globals';
import { loadFrom } from '../../docs/examples/embedding/supergraphManager.ts';
import { createGateway, defineExtension } from '../../gateway/gateway.ts';
import { createLogger } from '../../gateway/telemetry/logger.ts';
import { FakeTimers } from '../harness/fakeTimers.ts';
import { Gate } from '../harness/gate.ts';
import { planInProcess } from '../harness/inProcessPlanner.ts';
import { createMounted, listen, post, serving, shop } from '../harness/mountedGateway.ts';
import { waitForTurns } from '../harness/waitForTurns.ts';

describe('a gateway in an application', () => {
  test('that is closed twice ends its extensions once, and both calls wait for them', async () => {
    let calls = 0;
    const hold = Promise.withResolvers<void>();
    const entered = Promise.withResolvers<void>();
    const close = async (): Promise<void> => {
      calls += 1;
      entered.resolve();
      await hold.promise;
    };
    const gateway = await createMounted({ extensions: [{ name: 'pool', close }] });
    await gateway.start({ listen: false, admin: false });
    const ended: string[] = [];
    const closed = ['first', 'second'].map((name) => gateway.close().then(() => ended.push(name)));
    await entered.promise;
    await waitForTurns(5);
    expect([calls, ended]).toEqual([1, []]);
    hold.resolve();
    await Promise.all(closed);
    expect(calls).toBe(1);
  });

  describe('with a route of an extension that has not answered', () => {
    async function closeWhileAnswering(run: (gate: Gate, timers: FakeTimers) => void, order: string[]) {
      const gate = new Gate();
      const timers = new FakeTimers();
      const events: string[] = [];
      const extension = defineExtension({
        name: 'hooks',
        publicRoutes: [
          {
            method: 'POST',
            path: '/hook',
            handle: async () => {
              await gate.pass();
              events.push('answered');
              return new Response('done');
            },
          },
        ],
        close: () => void events.push('closed'),
      });
      const gateway = await createMounted({ extensions: [extension] }, { timers });
      await gateway.start({ listen: false, admin: false });
      await serving(gateway.handler, async (origin) => {
        const answered = fetch(`${origin}/hook`, { method: 'POST' });
        await gate.waitForArrivals();
        const closed = gateway.close();
        await Promise.race([closed, waitForTurns(50)]);
        expect(events).toEqual([]);
        run(gate, timers);
        await closed;
        gate.open();
        expect((await answered).status).toBe(200);
      });
      expect(events).toEqual(order);
    }

    test('closes the extension after the answer', async () => {
      await closeWhileAnswering((gate) => gate.open(), ['answered', 'closed']);
    });

    test('closes the extension at the end of the drain timeout', async () => {
      const endDrain = (_: Gate, timers: FakeTimers) => timers.fire(Math.max(...timers.pendingMs()));
      await closeWhileAnswering(endDrain, ['closed', 'answered']);
    });
  });

  test('can be started once', async () => {
    await using gateway = await createMounted();
    const starting = gateway.start({ listen: false });
    const again = 'The gateway has already been started.';
    await expect(gateway.start()).rejects.toThrow(again);
    await starting;
    await expect(gateway.start({ listen: false })).rejects.toThrow(again);
  });

  test('that is closed at once rejects start, and loads no supergraph', async () => {
    const load = jest.fn<() => Promise<string>>();
    const gateway = await createMounted({ supergraph: { load }, listen: { port: 0 } });
    const starting = gateway.start();
    await Promise.all([
      expect(starting).rejects.toMatchObject({ name: 'GatewayShutdownError', code: 'SHUTTING_DOWN' }),
      gateway.close(),
    ]);
    expect(load).not.toHaveBeenCalled();
  });

  test('that is closed while its host name is looked up listens nowhere afterwards', async () => {
    const countListeners = () =>
      process.getActiveResourcesInfo().filter((kind) => kind === 'TCPServerWrap').length;
    // Node counts a closed socket until the end of the turn.
    await waitForTurns(2);
    const before = countListeners();
    const lookup = Promise.withResolvers<() => void>();
    const spy = jest.spyOn(dns, 'lookup').mockImplementation(((...args: unknown[]) => {
      const onFound = args.at(-1) as (error: null, address: string, family: number) => void;
      lookup.resolve(() => onFound(null, '127.0.0.1', 4));
    }) as typeof dns.lookup);
    const gateway = await createMounted({ listen: { host: 'gateway.test', port: 0 } });
    const starting = gateway.start({ admin: false });
    const answer = await lookup.promise;
    spy.mockRestore();
    const closed = gateway.close();
    await Promise.race([closed, waitForTurns(50)]);
    answer();
    await Promise.all([expect(starting).rejects.toMatchObject({ code: 'SHUTTING_DOWN' }), closed]);
    await waitForTurns(2);
    expect(countListeners()).toBe(before);
  });

  test('that is closed while it loads its supergraph rejects start', async () => {
    const loading = Promise.withResolvers<void>();
    const load = () => {
      loading.resolve();
      return new Promise<never>(() => {});
    };
    const gateway = await createMounted({ supergraph: { load } });
    const starting = gateway.start({ listen: false });
    await loading.promise;
    await Promise.all([
      expect(starting).rejects.toMatchObject({ name: 'GatewayShutdownError', code: 'SHUTTING_DOWN' }),
      gateway.close(),
    ]);
  });

  test('can be started again when its port was in use', async () => {
    const holder = createServer();
    const { port } = new URL(await listen(holder));
    await using gateway = await createMounted({ listen: { port: Number(port) } });
    await expect(gateway.start({ admin: false })).rejects.toMatchObject({
      code: 'EADDRINUSE',
      message: `127.0.0.1:${port} is in use. End the process that listens there, or choose another port with listen.port or --port.`,
    });
    holder.close();
    await once(holder, 'close');
    expect((await gateway.start({ admin: false })).url).toBe(`http://127.0.0.1:${port}/graphql`);
  });

  test('can be started again when its admin port was in use, and listens for clients meanwhile', async () => {
    const holder = createServer();
    const { port } = new URL(await listen(holder));
    await using gateway = await createMounted({ listen: { port: 0 }, admin: { port: Number(port) } });
    await expect(gateway.start()).rejects.toThrow(`127.0.0.1:${port} is in use. End the process`);
    holder.close();
    await once(holder, 'close');
    const { url, adminUrl } = await gateway.start();
    expect(adminUrl).toBe(`http://127.0.0.1:${port}`);
    expect(await post(url, '{ name }')).toEqual({ status: 200, body: { data: { name: 'Lamp' } } });
  });

  test('needs listen.publicUrl for HTTP callbacks', async () => {
    await using gateway = await createMounted({
      subgraphs: { products: { subscription: { protocol: 'http_callback' } } },
    });
    await expect(gateway.start({ listen: false })).rejects.toThrow(
      'listen.publicUrl is empty, the gateway does not listen itself, and subgraphs.products.subscription.protocol is http_callback',
    );
  });
});

test('the example for supergraph managers of @apollo/gateway loads, updates and cleans up', async () => {
  const cleanup = Promise.withResolvers<void>();
  const sdl = readFileSync(shop.supergraphFile, 'utf8');
  const initialized = Promise.withResolvers<(sdl: string) => void>();
  const manager: SupergraphManager = {
    initialize: async ({ update }) => {
      initialized.resolve(update);
      return { supergraphSdl: sdl, cleanup: async () => cleanup.resolve() };
    },
  };
  const changed = `# changed\n${sdl}`;
  const switched = Promise.withResolvers<void>();
  let switches = 0;
  const gateway = await createGateway(
    { supergraph: { load: loadFrom(manager) }, admin: { port: 0 }, contracts: { guard: 'off' } },
    {
      startPlannerThread: planInProcess,
      logger: createLogger('info', {
        write: (line) => {
          if (line.includes('A new supergraph is in use')) switches += 1;
          if (switches === 2) switched.resolve();
        },
      }),
    },
  );
  const { adminUrl } = await gateway.start({ listen: false });
  const currentSdl = async () => (await (await fetch(`${adminUrl}/supergraph`)).json()).supergraph.sdl;
  expect(await currentSdl()).toBe(sdl);
  (await initialized.promise)(changed);
  await switched.promise;
  expect(await currentSdl()).toBe(changed);
  await gateway.close();
  await cleanup.promise;
});

test('a gateway whose registry fails continues, says so, and shows its secrets nowhere', async () => {
  const canary = 'canary-of-a-secret';
  const sdl = readFileSync(shop.supergraphFile, 'utf8');
  let status = 200;
  let isAuthorized = true;
  const registry = createServer(({ headers }, response) => {
    isAuthorized &&= headers.authorization === canary;
    response.writeHead(status).end(status === 200 ? sdl : '');
  });
  const origin = await listen(registry);
  const failed = Promise.withResolvers<void>();
  const recovered = Promise.withResolvers<void>();
  const log: string[] = [];
  const gateway = await createGateway(
    {
      supergraph: {
        url: `${origin}/sdl?key=${canary}`,
        headers: { Authorization: canary },
        pollInterval: '100ms',
      },
      admin: { port: 0 },
      contracts: { guard: 'off' },
    },
    {
      startPlannerThread: planInProcess,
      logger: createLogger('trace', {
        write: (line) => {
          log.push(line);
          if (line.includes('could not be read')) failed.resolve();
          if (line.includes('can be read from its source again')) recovered.resolve();
        },
      }),
    },
  );
  const { adminUrl } = await gateway.start({ listen: false });
  status = 403;
  await failed.promise;
  const bodyOf = async (path: string) => (await fetch(`${adminUrl}${path}`)).text();
  const [health, supergraph] = [await bodyOf('/health/ready'), await bodyOf('/supergraph')];
  status = 200;
  await recovered.promise;
  expect(JSON.parse(await bodyOf('/health/ready'))).not.toHaveProperty('notes');
  await gateway.close();
  registry.closeAllConnections();
  registry.close();
  const message = `the supergraph could not be fetched from ${origin}/sdl?key=***: the server refuses access (status 403); check supergraph.headers`;
  expect(JSON.parse(health)).toEqual({
    status: 'ready',
    supergraph: expect.any(String),
    notes: [{ code: 'SUPERGRAPH_NOT_UPDATED', message }],
  });
  expect(JSON.parse(supergraph)).toMatchObject({
    supergraph: { sdl },
    lastRefusal: null,
    sourceProblem: message,
  });
  expect(isAuthorized).toBe(true);
  expect(`${log.join('')}${health}${supergraph}`).not.toContain(canary);
});

test('a gateway that is closed before its first supergraph rejects ready, and nothing where no one awaits it', async () => {
  const script = `
    import { createGateway } from './gateway/gateway.ts';
    const open = async () => {
      const options = { supergraph: { file: 'missing.graphql' }, telemetry: { logLevel: 'silent' } };
      const gateway = await createGateway(options);
      await gateway.start({ listen: false, admin: false });
      return gateway;
    };
    const [awaited, unawaited] = await Promise.all([open(), open()]);
    const ready = awaited.ready.catch(({ name, code }) => name + ' ' + code);
    await Promise.all([awaited.close(), unawaited.close()]);
    console.log(await ready);
    await new Promise(setImmediate);
  `;
  const args = ['--input-type=module', '-e', script];
  const cwd = new URL('../../', import.meta.url);
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd });
  expect(stdout).toBe('GatewayShutdownError SHUTTING_DOWN\n');
});

test('a gateway that refuses a newer supergraph is ready, and has a note with the reason that is in the log', async () => {
  const refused = Promise.withResolvers<string>();
  const initialized = Promise.withResolvers<(sdl: string) => void>();
  const gateway = await createGateway(
    {
      supergraph: {
        load: async ({ update }) => {
          initialized.resolve(update);
          return readFileSync(shop.supergraphFile, 'utf8');
        },
      },
      admin: { port: 0 },
      contracts: { guard: 'off' },
    },
    {
      startPlannerThread: planInProcess,
      logger: createLogger('error', { write: (line) => refused.resolve(JSON.parse(line).reason) }),
    },
  );
  const { adminUrl } = await gateway.start({ listen: false });
  (await initialized.promise)('type Query { a: Int }');
  const message = await refused.promise;
  const health = await fetch(`${adminUrl}/health/ready`);
  expect([health.status, await health.json()]).toEqual([
    200,
    { status: 'ready', supergraph: expect.any(String), notes: [{ code: 'SUPERGRAPH_REFUSED', message }] },
  ]);
  await gateway.close();
});
