import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { createConfigJsonSchema } from '../../../gateway/config/configJsonSchema.ts';
import { loadConfig } from '../../../gateway/config/loadConfig.ts';
import { parseConfig } from '../../../gateway/config/parseConfig.ts';
import { printConfig } from '../../../gateway/config/printConfig.ts';
import { printReference } from '../../../gateway/config/printReference.ts';

const root = new URL('../../../', import.meta.url);

test('a printed configuration can be parsed to the same configuration', () => {
  const config = parseConfig({
    supergraph: { subgraphs: [{ name: 'reviews', url: 'http://reviews/graphql' }], pollInterval: '1500ms' },
    subgraphs: { reviews: { timeouts: { attempt: 999 }, maxResponseSize: '10KB' } },
    workers: 'auto',
  });
  const printed = printConfig(config);
  expect(parseConfig(parse(printed))).toEqual(config);
  expect(printed).toContain('pollInterval: 1500ms');
  expect(printed).toContain('maxResponseSize: 10KB');
});

test('a printed configuration masks secrets in addresses', () => {
  const printed = parse(
    printConfig(
      parseConfig({
        supergraph: { file: 'a' },
        subgraphs: { reviews: { url: 'https://reviews/graphql?key=secret&tenant=secret' } },
        redis: { url: 'redis://user:secret@redis/1' },
        listen: { publicUrl: 'https://user:secret@gateway' },
      }),
    ),
  );
  expect([printed.subgraphs.reviews.url, printed.redis.url, printed.listen.publicUrl]).toEqual([
    'https://reviews/graphql?key=***&tenant=***',
    'redis://***:***@redis/1',
    'https://***:***@gateway/',
  ]);
});

test('a printed configuration masks the headers of supergraph requests', () => {
  const headers = { Authorization: 'Bearer secret' };
  const url = 'https://cdn.example/supergraph?key=secret';
  const subgraphs = [{ name: 'reviews', url: 'http://reviews/graphql', headers }];
  const [byUrl, composed] = [{ url, headers }, { subgraphs }].map((supergraph) =>
    parse(printConfig(parseConfig({ supergraph }))),
  );
  expect([byUrl.supergraph, composed.supergraph.subgraphs]).toEqual([
    {
      url: 'https://cdn.example/supergraph?key=***',
      headers: { Authorization: '***' },
      pollInterval: '10s',
    },
    [{ name: 'reviews', url: 'http://reviews/graphql', headers: { Authorization: '***' } }],
  ]);
});

test('a printed configuration masks the headers and the password of a collector', () => {
  const otlp = { endpoint: 'http://user:secret@collector:4318', headers: { 'x-api-key': 'secret' } };
  const printed = parse(printConfig(parseConfig({ supergraph: { file: 'a' }, telemetry: { otlp } })));
  expect(printed.telemetry.otlp).toMatchObject({
    endpoint: 'http://***:***@collector:4318/',
    headers: { 'x-api-key': '***' },
  });
});

test('a printed configuration masks the options of extensions', () => {
  const extensions = [{ module: './a.ts', options: { token: 'secret', nested: { key: 'secret' } } }];
  const printed = printConfig(parseConfig({ supergraph: { file: 'a' }, extensions }));
  expect(parse(printed).extensions).toEqual([{ module: './a.ts', options: { token: '***', nested: '***' } }]);
});

test('every option of the JSON Schema has a description', () => {
  const silent: string[] = [];
  const visit = (schema: ReturnType<typeof createConfigJsonSchema>, path: string): void => {
    const isSection = schema.properties !== undefined;
    if (!isSection && (schema.description ?? '') === '') silent.push(path);
    for (const [key, child] of Object.entries(schema.properties ?? {})) visit(child, `${path}.${key}`);
  };
  visit(createConfigJsonSchema(), '');
  expect(silent).toEqual([]);
});

test('the reference has the description of every section, option and option of list entries', () => {
  const reference = printReference();
  const absent: string[] = [];
  const visit = (schema: ReturnType<typeof createConfigJsonSchema>, path: string): void => {
    if (!reference.includes(schema.description ?? '')) absent.push(path);
    if (schema.items !== undefined) visit(schema.items, `${path}[]`);
    for (const [key, child] of Object.entries(schema.properties ?? {})) visit(child, `${path}.${key}`);
  };
  visit(createConfigJsonSchema(), '');
  expect(absent).toEqual([]);
});

test('docs/configuration.md is up to date (run: npx node gateway/config/writeReference.ts)', () => {
  expect(readFileSync(new URL('docs/configuration.md', root), 'utf8')).toBe(printReference());
});

test('the configuration of the demo is valid and follows environment variables', () => {
  const file = new URL('tributary.yaml', root).pathname;
  const config = loadConfig({
    file,
    env: { REVIEWS_URL: 'http://reviews:80/graphql', TRIBUTARY_PORT: '8080' },
  });
  expect(config.listen.port).toBe(8080);
  // What a public gateway must not do by default is on for exploring the demo.
  const forExploring = {
    introspection: true,
    graphiql: true,
    suggestions: true,
    exposeSubgraphErrors: true,
    exposeSubgraphs: true,
  };
  expect(config.security).toMatchObject(forExploring);
  const { security } = parseConfig({ supergraph: { file: 'supergraph.graphql' } });
  expect(security).toMatchObject(
    Object.fromEntries(Object.keys(forExploring).map((option) => [option, false])),
  );
  expect('subgraphs' in config.supergraph && config.supergraph.subgraphs).toEqual([
    { name: 'accounts', url: 'http://localhost:4101/graphql' },
    { name: 'products', url: 'http://localhost:4102/graphql' },
    { name: 'inventory', url: 'http://localhost:4103/graphql' },
    { name: 'reviews', url: 'http://reviews:80/graphql' },
    { name: 'recommendations', url: 'http://localhost:4105/graphql' },
  ]);
});
