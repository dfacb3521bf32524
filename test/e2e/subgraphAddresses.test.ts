import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { pino } from 'pino';
import { createTemporaryDirectory } from '../harness/suiteResources.ts';
import { demoSupergraphFile, startTestGateway } from '../harness/testGateway.ts';

const folder = createTemporaryDirectory();

describe('the configuration of subgraphs', () => {
  test('logs a warning for a subgraph that the supergraph does not have', async () => {
    const warnings: unknown[] = [];
    const logger = pino({ level: 'warn', base: null }, { write: (line) => warnings.push(JSON.parse(line)) });
    await using _gateway = await startTestGateway({
      config: { subgraphs: { rewiews: { timeouts: { attempt: '1s' } } } },
      dependencies: { logger },
    });
    expect(warnings).toEqual([
      {
        level: 40,
        time: expect.any(Number),
        absent: ['rewiews'],
        subgraphs: ['accounts', 'inventory', 'products', 'recommendations', 'reviews'],
        msg: 'The supergraph does not have all configured subgraphs (subgraphs.<name>)',
      },
    ]);
  });

  test('logs one warning at the start for the secrets of signatures that are shorter than 32 bytes', async () => {
    const warnings: unknown[] = [];
    const logger = pino({ level: 'warn', base: null }, { write: (line) => warnings.push(JSON.parse(line)) });
    const subgraphs = {
      all: { signing: { secret: 'x'.repeat(31) } },
      reviews: { signing: { secret: 'x'.repeat(32) } },
      products: { signing: { secret: 'short' } },
    };
    await using _gateway = await startTestGateway({ config: { subgraphs }, dependencies: { logger } });
    expect(warnings).toEqual([
      {
        level: 40,
        time: expect.any(Number),
        options: ['subgraphs.all.signing.secret', 'subgraphs.products.signing.secret'],
        minBytes: 32,
        msg: 'Secrets that sign requests are short and may be guessed',
      },
    ]);
  });

  test('cannot replace an address with a password, which the supergraph would show', async () => {
    const file = join(folder, 'secret.graphql');
    const demo = await readFile(demoSupergraphFile, 'utf8');
    await writeFile(
      file,
      demo.replace(/(name: "reviews", url: )"[^"]*"/, '$1"http://user:secret@reviews.test/graphql"'),
    );
    const lines: string[] = [];
    await using gateway = await startTestGateway({
      config: { supergraph: { file } },
      dependencies: { logger: pino({ level: 'trace' }, { write: (line) => lines.push(line) }) },
    });
    const readiness = await (await fetch(new URL('/health/ready', gateway.adminUrl))).text();
    const shown = await (await fetch(new URL('/supergraph', gateway.adminUrl))).text();
    const message =
      'subgraph \\"reviews\\": the supergraph\'s URL has a user name or a password, which everyone who reads the supergraph sees; remove them and use headers instead';
    expect(readiness).toContain(message);
    expect(shown).toContain(message);
    expect(readiness + shown + lines.join('')).not.toContain('secret@');
  });

  test('must have an address that the supergraph lacks: the gateway is not ready without it', async () => {
    const file = join(folder, 'supergraph.graphql');
    const demo = await readFile(demoSupergraphFile, 'utf8');
    await writeFile(file, demo.replace(/(name: "reviews", url: )"[^"]*"/, '$1""'));
    await using gateway = await startTestGateway({
      config: { supergraph: { file }, subgraphs: { reviews: {} } },
    });
    const readiness = await fetch(new URL('/health/ready', gateway.adminUrl));
    expect([readiness.status, await readiness.json()]).toEqual([
      503,
      {
        status: 'not ready',
        reasons: [
          {
            code: 'SUPERGRAPH_UNAVAILABLE',
            message:
              'subgraph "reviews": the supergraph has no URL; set subgraphs.reviews.url to an http:// or https:// address',
          },
        ],
      },
    ]);
  });
});
