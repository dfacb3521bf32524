import { describe, expect, test } from '@jest/globals';
import type { Environment } from '../../../../gateway/contracts/contractStore.ts';
import { unknownServing } from '../../../../gateway/contracts/serving.ts';
import { type ReadServingOptions, readServing } from '../../../../gateway/contracts/store/readServing.ts';
import { StoreOnDisk } from './storeOnDisk.ts';

const place = { file: 'contracts/environments.yaml', line: 4, column: 3 };

const config = `supergraph: { file: supergraph.graphql }
redis:
  url: \${NOBODY_SETS_THIS}
cache:
  rules:
    Product.stock:
      maxAge: 5s
      staleIfError: \${NOR_THIS:-1m}
enrichment:
  budget: 80ms
  fields:
    Product.recommended: {}
`;

async function read(text: string | undefined, options: Partial<ReadServingOptions> = {}) {
  using disk = new StoreOnDisk(text === undefined ? {} : { 'gateway.yaml': text });
  const { serving, problems } = await readServing({
    directory: disk.directory,
    gatewayConfig: disk.path('gateway.yaml'),
    ...options,
  });
  const said = problems.map(({ rule, severity, message, place: at }) => {
    expect(severity).toBe('misuse');
    return [rule, message.replace(disk.root, ''), at && [at.file.replace(disk.root, ''), at.line, at.column]];
  });
  return { serving, said };
}

describe('what is known of the gateways', () => {
  test('is nothing, where nobody says anything', async () => {
    const read = await readServing({ directory: 'contracts' });
    expect(read).toEqual({ serving: { ...unknownServing, stepLatencyMs: undefined }, problems: [] });
  });

  test('is their configuration, without the variables that are not set here', async () => {
    const { serving, said } = await read(config);
    expect(said).toEqual([]);
    expect(serving).toMatchObject({
      cache: {
        enabled: true,
        rules: { 'Product.stock': { maxAge: 5_000, staleWhileRevalidate: 0, staleIfError: 60_000 } },
      },
      enrichments: { fields: { 'Product.recommended': {} }, budget: 80 },
      waitsForAll: false,
    });
  });

  test('has a place for each rule', async () => {
    const { serving } = await read(config);
    const places = [
      serving.placeOf?.('cache.rules', 'Product.stock'),
      serving.placeOf?.('enrichment.fields', 'Product.recommended'),
    ];
    expect(places.map((at) => [at?.line, at?.column])).toEqual([
      [6, 5],
      [12, 5],
    ]);
  });

  test.each([
    ['enrichment: { mode: never }', { waitsForAll: true }],
    ['enrichment: { shadow: true }', { waitsForAll: true }],
    ['cache: { enabled: false }', { cache: { enabled: false, rules: {} } }],
    // Where the supergraph is from may be said on the command line.
    ['', { waitsForAll: false }],
  ])('%s', async (text, expected) => {
    const { serving, said } = await read(text);
    expect(said).toEqual([]);
    expect(serving).toMatchObject(expected);
  });

  test.each<[string, string | undefined, readonly unknown[]]>([
    [
      'not there',
      undefined,
      ['gateway-config-unreadable', '/gateway.yaml does not exist.', ['/gateway.yaml', 1, 1]],
    ],
    [
      'no YAML',
      'cache:\n  rules: [',
      ['gateway-config-unreadable', expect.stringContaining('This is not YAML'), ['/gateway.yaml', 2, 11]],
    ],
    [
      'a wrong value',
      config.replace('5s', 'soon'),
      [
        'gateway-config-invalid',
        expect.stringContaining('cache.rules["Product.stock"].maxAge'),
        ['/gateway.yaml', 7, 7],
      ],
    ],
    [
      'an unknown option',
      `${config}cahce: {}\n`,
      ['gateway-config-invalid', expect.stringContaining('cahce'), ['/gateway.yaml', 13, 1]],
    ],
    [
      'a rule with a variable that is not set',
      config.replace('5s', `\${NOBODY_SETS_THIS}`),
      ['gateway-config-invalid', expect.stringContaining('NOBODY_SETS_THIS'), ['/gateway.yaml', 7, 7]],
    ],
    ['no mapping', '- cache', ['gateway-config-invalid', expect.any(String), ['/gateway.yaml', 1, 1]]],
  ])('is a mistake with its place: %s', async (_, text, problem) => {
    const { serving, said } = await read(text);
    expect(said).toEqual([problem]);
    expect(serving).toEqual({ ...unknownServing, stepLatencyMs: undefined });
  });
});

describe('what an environment says', () => {
  const environment: Environment = {
    name: 'production',
    subgraphs: new Map(),
    gateways: [],
    gatewayConfig: { file: '../gateway.yaml', place },
    stepLatency: 30,
    place,
  };

  test('holds, from the directory of the store', async () => {
    const { serving, said } = await read(config, { environment, gatewayConfig: undefined });
    expect(said).toEqual([]);
    expect([serving.stepLatencyMs, serving.enrichments.budget]).toEqual([30, 80]);
  });

  test('is overruled by arguments', async () => {
    const elsewhere = { ...environment, gatewayConfig: { file: 'nowhere.yaml', place } };
    const { serving, said } = await read(config, { environment: elsewhere, stepLatency: '50ms' });
    expect(said).toEqual([]);
    expect([serving.stepLatencyMs, serving.enrichments.budget]).toEqual([50, 80]);
  });

  test('is told at its place where the file is not there', async () => {
    const { said } = await read(undefined, { environment, gatewayConfig: undefined });
    expect(said).toEqual([
      ['gateway-config-unreadable', '/gateway.yaml does not exist.', [place.file, place.line, place.column]],
    ]);
  });

  test.each(['soon', '0ms', '50', '9999h'])('an argument of %s is no time', async (stepLatency) => {
    const { said } = await read(config, { stepLatency });
    expect(said).toEqual([['argument-invalid', expect.stringContaining(`"${stepLatency}"`), undefined]]);
  });
});
