import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer, maxHeaderSize } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join, matchesGlob } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { parseConfig } from '../../../gateway/config/parseConfig.ts';
import { parseSize } from '../../../gateway/config/size.ts';
import { demoDefinitions } from '../../../subgraphs/demo.ts';

const root = join(import.meta.dirname, '../../..');

interface Service {
  readonly image: string;
  readonly build?: { readonly target: string };
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly healthcheck?: { readonly test: readonly string[] };
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly read_only?: boolean;
  readonly stop_grace_period?: string;
}

async function readServices(): Promise<Map<string, Service>> {
  const text = await readFile(join(root, 'docker-compose.yml'), 'utf8');
  const file = parse(text, { merge: true }) as { services: Record<string, Service> };
  return new Map(Object.entries(file.services));
}

function serviceOf(services: ReadonlyMap<string, Service>, name: string): Service {
  const service = services.get(name);
  if (service === undefined) throw new Error(`docker-compose.yml has no service ${name}.`);
  return service;
}

interface Stage {
  readonly parent: string;
  /** Paths of the repository. */
  readonly copied: readonly string[];
}

/** The stages of the Dockerfile by their names. */
async function readStages(): Promise<Map<string, Stage>> {
  const dockerfile = await readFile(join(root, 'Dockerfile'), 'utf8');
  const stages = dockerfile.matchAll(/^FROM (\S+) AS (\S+)$([\s\S]*?)(?=^FROM |$(?![\s\S]))/gm);
  return new Map(
    Array.from(stages, ([, parent = '', name = '', steps = '']) => {
      const copies = Array.from(steps.matchAll(/^COPY (?!--from)(.+)$/gm), ([, paths = '']) =>
        paths.split(' ').slice(0, -1),
      );
      return [name, { parent, copied: copies.flat() }];
    }),
  );
}

function isBelow(path: string, parents: readonly string[]): boolean {
  return parents.some((parent) => path === parent || path.startsWith(`${parent}/`));
}

/** The file and all files of the repository that it imports, directly or not. */
async function importedFiles(entry: string, found = new Set<string>()): Promise<ReadonlySet<string>> {
  if (found.has(entry)) return found;
  found.add(entry);
  const text = await readFile(join(root, entry), 'utf8');
  for (const [, path = ''] of text.matchAll(/^(?:import|export)\b(?! type)[^;']*'(\.[^']+)';/gm)) {
    await importedFiles(join(entry, '..', path), found);
  }
  return found;
}

/** Files and directories of the repository that docker-compose.yml mounts. */
async function readMounted(): Promise<string[]> {
  const volumes = [...(await readServices()).values()].flatMap(({ volumes = [] }) => volumes);
  return Array.from(volumes.join('\n').matchAll(/^\.\/([^:]+):/gm), ([, path = '']) => path);
}

const subgraphs = Object.keys(demoDefinitions);
const gateways = ['gateway-1', 'gateway-2'];

describe('docker-compose.yml', () => {
  test('defines two gateways behind a proxy, the demo and what observes them', async () => {
    const services = await readServices();
    const observers = ['otel-collector', 'prometheus', 'grafana'];
    const expected = [...subgraphs, ...gateways, ...observers, 'proxy', 'redis', 'storefront'];
    expect([...services.keys()].sort()).toEqual(expected.sort());
  });

  test('starts each service of the demo image from an existing file', async () => {
    const services = await readServices();
    const files = [...services].flatMap(([name, { image, command }]) =>
      image === 'tributary-demo' ? [[name, command]] : [],
    );
    expect(Object.fromEntries(files)).toEqual({
      ...Object.fromEntries(subgraphs.map((name) => [name, [`subgraphs/${name}/server.ts`]])),
      storefront: ['storefront/serve.ts'],
    });
    for (const [, [file]] of files as [string, string[]][])
      expect(existsSync(join(root, file ?? ''))).toBe(true);
  });

  test('builds each image once, from a target of the Dockerfile', async () => {
    const built = [...(await readServices()).values()].flatMap(({ image, build }) =>
      build === undefined ? [] : [[image, build.target]],
    );
    expect(built.sort()).toEqual([
      ['tributary', 'gateway'],
      ['tributary-demo', 'demo'],
    ]);
    const dockerfile = await readFile(join(root, 'Dockerfile'), 'utf8');
    const targets = Array.from(dockerfile.matchAll(/^FROM \S+ AS (\S+)$/gm), ([, target]) => target);
    expect(targets).toEqual(expect.arrayContaining(['gateway', 'demo']));
  });

  test('passes the addresses of all subgraphs, of Redis and of the collector in the variables that tributary.yaml reads', async () => {
    const services = await readServices();
    const addresses = {
      ...Object.fromEntries(
        subgraphs.map((name) => [`${name.toUpperCase()}_URL`, `http://${name}:4100/graphql`]),
      ),
      REDIS_URL: 'redis://redis:6379',
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://otel-collector:4318',
    };
    for (const name of gateways) expect(serviceOf(services, name).environment).toMatchObject(addresses);
    const configuration = await readFile(join(root, 'tributary.yaml'), 'utf8');
    const read = Array.from(configuration.matchAll(/\$\{([A-Z_]+)\b/g), ([, variable = '']) => variable);
    // The Dockerfile sets hosts and ports.
    expect(read.filter((variable) => !variable.startsWith('TRIBUTARY_')).sort()).toEqual(
      Object.keys(addresses).sort(),
    );
  });

  test('starts the gateways after their subgraphs and Redis are healthy, and the proxy after the gateways', async () => {
    const services = await readServices();
    const healthy = (names: readonly string[]) =>
      Object.fromEntries(names.map((name) => [name, { condition: 'service_healthy' }]));
    const needed = [...subgraphs, 'redis'];
    for (const name of gateways) expect(serviceOf(services, name).depends_on).toEqual(healthy(needed));
    for (const name of needed) expect(serviceOf(services, name).healthcheck?.test[0]).toBe('CMD');
    expect(serviceOf(services, 'proxy').depends_on).toEqual(healthy(gateways));
  });

  test('publishes ports on this machine only, each of which a variable moves', async () => {
    const ports = [...(await readServices()).values()].flatMap(({ ports = [] }) => ports);
    expect(ports.length).toBeGreaterThan(3);
    expect(ports.filter((port) => !/^127\.0\.0\.1:\$\{[A-Z_\d]+:-\d+\}:\d+$/.test(port))).toEqual([]);
  });

  test('mounts only files and directories that exist', async () => {
    const paths = await readMounted();
    expect(paths.filter((path) => !existsSync(join(root, path)))).toEqual([]);
    expect(paths).toContain('deploy/nginx/nginx.conf');
  });

  test('gives the gateways a read-only file system, and time to drain behind the proxy', async () => {
    const services = await readServices();
    for (const name of gateways) {
      const { read_only, stop_grace_period, environment } = serviceOf(services, name);
      expect(read_only).toBe(true);
      const delay = Number.parseInt(environment?.TRIBUTARY_SHUTDOWN_DELAY ?? '', 10);
      expect(delay).toBeGreaterThan(0);
      expect(Number.parseInt(stop_grace_period ?? '', 10)).toBeGreaterThanOrEqual(delay + 30 + 5);
    }
  });
});

test('deploy/nginx/nginx.conf passes on the headers and bodies that the gateway accepts, and has two file descriptors for each connection', async () => {
  const text = await readFile(join(root, 'deploy/nginx/nginx.conf'), 'utf8');
  const directiveValue = (directive: string) =>
    new RegExp(`^ *${directive} (?:\\d+ )?(\\d+[km]?);$`, 'm').exec(text)?.[1] ?? '';
  const bytesOf = (directive: string) => parseSize(`${directiveValue(directive).toUpperCase()}B`);
  const { limits } = parseConfig({ supergraph: { file: 'supergraph.graphql' } });
  expect(bytesOf('client_max_body_size')).toBeGreaterThanOrEqual(limits.bodySize);
  expect(bytesOf('large_client_header_buffers')).toBeGreaterThanOrEqual(maxHeaderSize);
  const connections = Number(directiveValue('worker_connections'));
  expect(Number(directiveValue('worker_rlimit_nofile'))).toBeGreaterThanOrEqual(2 * connections);
});

describe('Dockerfile', () => {
  test('runs the gateway with a larger young generation, not as root, and with a liveness check', async () => {
    const dockerfile = await readFile(join(root, 'Dockerfile'), 'utf8');
    const gateway = dockerfile.slice(dockerfile.indexOf('AS gateway'));
    expect(gateway).toContain('--max-semi-space-size=64');
    expect(gateway).toContain('MALLOC_ARENA_MAX=1');
    expect(gateway).toMatch(/^USER 1000:1000$/m);
    // Nothing of the stage with development dependencies but the built sources.
    expect(gateway.match(/^COPY --from=build .*$/gm)).toEqual(['COPY --from=build /app/dist /app/dist']);
  });

  test('runs any command of tributary, and `serve` without one', async () => {
    const dockerfile = await readFile(join(root, 'Dockerfile'), 'utf8');
    const gateway = dockerfile.slice(dockerfile.indexOf('AS gateway'));
    const wordsOf = (instruction: string): string[] =>
      JSON.parse(new RegExp(`^${instruction} (.*)$`, 'm').exec(gateway)?.[1] ?? '[]');
    expect([wordsOf('ENTRYPOINT').at(-1), wordsOf('CMD')]).toEqual(['/app/dist/gateway/cli.js', ['serve']]);
  });

  // Other systems have one loopback address only.
  const otherAddress = process.platform === 'linux' ? ['127.0.0.2'] : [];
  test.each(['127.0.0.1', '0.0.0.0', 'localhost', ...otherAddress])(
    'checks whether the admin listener on %s is live',
    async (host) => {
      const dockerfile = await readFile(join(root, 'Dockerfile'), 'utf8');
      const [, ...args] = JSON.parse(/HEALTHCHECK.*\\\n +CMD (.*)$/m.exec(dockerfile)?.[1] ?? '') as string[];
      const paths: (string | undefined)[] = [];
      await using server = createServer(({ url }, response) => {
        paths.push(url);
        response.writeHead(paths.length === 1 ? 200 : 503).end();
      });
      await once(server.listen(0, host), 'listening');
      const { port } = server.address() as AddressInfo;
      const env = { TRIBUTARY_ADMIN_HOST: host, TRIBUTARY_ADMIN_PORT: String(port) };
      const check = async () => (await once(spawn(process.execPath, args, { env }), 'exit'))[0];
      expect([await check(), await check(), paths]).toEqual([0, 1, ['/health/live', '/health/live']]);
    },
  );

  test('copies only what exists and what .dockerignore lets through', async () => {
    const ignore = await readFile(join(root, '.dockerignore'), 'utf8');
    const included = Array.from(ignore.matchAll(/^!(.+)$/gm), ([, path = '']) => path);
    const copied = [...(await readStages()).values()].flatMap(({ copied }) => copied);
    expect(copied).toContain('gateway');
    expect(copied.filter((path) => !existsSync(join(root, path)))).toEqual([]);
    expect(copied.filter((path) => !isBelow(path, included))).toEqual([]);
  });

  test.each([
    ['build', ['scripts/build.ts']],
    ['demo', [...subgraphs.map((name) => `subgraphs/${name}/server.ts`), 'storefront/serve.ts']],
  ])('copies everything that is imported in the stage %s', async (name, entries) => {
    const stages = await readStages();
    const copied: string[] = [];
    for (let stage = stages.get(name); stage !== undefined; stage = stages.get(stage.parent)) {
      copied.push(...stage.copied);
    }
    const imported = new Set<string>();
    for (const entry of entries) await importedFiles(entry, imported);
    expect(imported.size).toBeGreaterThan(5);
    expect([...imported].filter((path) => !isBelow(path, copied))).toEqual([]);
  });
});

test('a pull request that changes what the images have, or what docker-compose.yml mounts, builds and runs them', async () => {
  const workflow = parse(await readFile(join(root, '.github/workflows/image.yml'), 'utf8'));
  const { paths } = workflow.on.pull_request as { paths: string[] };
  const copied = [...(await readStages()).values()].flatMap(({ copied }) => copied);
  const used = ['Dockerfile', '.dockerignore', 'docker-compose.yml', ...copied, ...(await readMounted())];
  const isCovered = (path: string) => paths.some((glob) => matchesGlob(path, glob) || glob === `${path}/**`);
  expect(used.filter((path) => !isCovered(path))).toEqual([]);
});
