import { access, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { demoDefinitions } from '../../../subgraphs/demo.ts';

const root = join(import.meta.dirname, '../../..');

interface Service {
  readonly build?: { readonly target: string };
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly healthcheck?: { readonly test: readonly string[] };
}

async function readServices(): Promise<Map<string, Service>> {
  const text = await readFile(join(root, 'docker-compose.yml'), 'utf8');
  const file = parse(text, { merge: true }) as { services: Record<string, Service> };
  return new Map(Object.entries(file.services));
}

const names = Object.keys(demoDefinitions);

describe('docker-compose.yml', () => {
  test('defines exactly the gateway, the demo subgraphs and Redis', async () => {
    const services = await readServices();
    expect([...services.keys()].sort()).toEqual([...names, 'gateway', 'redis'].sort());
  });

  test('starts each subgraph from an existing file', async () => {
    const services = await readServices();
    for (const name of names) {
      const service = services.get(name);
      expect(service?.command).toEqual([`subgraphs/${name}/server.ts`]);
      await access(join(root, `subgraphs/${name}/server.ts`));
    }
  });

  test('passes the URLs of all subgraphs and of Redis in the variables that tributary.yaml reads', async () => {
    const environment = (await readServices()).get('gateway')?.environment;
    expect(environment).toEqual({
      ...Object.fromEntries(
        names.map((name) => [`${name.toUpperCase()}_URL`, `http://${name}:4100/graphql`]),
      ),
      REDIS_URL: 'redis://redis:6379',
    });
    const configuration = await readFile(join(root, 'tributary.yaml'), 'utf8');
    const read = [...configuration.matchAll(/\$\{([A-Z]+_URL)\b/g)].map(([, variable]) => variable);
    expect(read.sort()).toEqual(Object.keys(environment ?? {}).sort());
  });

  test('starts the gateway after its subgraphs are healthy', async () => {
    const services = await readServices();
    const needed = services.get('gateway')?.depends_on ?? {};
    expect(needed).toEqual(Object.fromEntries(names.map((name) => [name, { condition: 'service_healthy' }])));
    for (const name of Object.keys(needed)) expect(services.get(name)?.healthcheck?.test[0]).toBe('CMD');
  });

  test('builds only targets of the Dockerfile', async () => {
    const dockerfile = await readFile(join(root, 'Dockerfile'), 'utf8');
    const targets = [...dockerfile.matchAll(/^FROM \S+ AS (\S+)$/gm)].map(([, target]) => target);
    for (const { build } of (await readServices()).values()) {
      if (build !== undefined) expect(targets).toContain(build.target);
    }
  });
});

describe('Dockerfile', () => {
  test('runs the gateway with a larger young generation, not as root, and with a readiness check', async () => {
    const dockerfile = await readFile(join(root, 'Dockerfile'), 'utf8');
    const gateway = dockerfile.slice(dockerfile.indexOf('AS gateway'));
    expect(gateway).toContain('--max-semi-space-size=64');
    expect(gateway).toContain('USER node');
    expect(gateway).toMatch(/HEALTHCHECK[\s\S]*\/health\/ready/);
  });
});
