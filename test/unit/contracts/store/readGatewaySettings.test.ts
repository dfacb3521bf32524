import { describe, expect, test } from '@jest/globals';
import type { Environment } from '../../../../contracts/contractStore.ts';
import { defaultGatewaySettings } from '../../../../contracts/gatewaySettings.ts';
import {
  type ReadGatewaySettingsOptions,
  readGatewaySettings,
} from '../../../../contracts/store/readGatewaySettings.ts';
import { TemporaryContractStore } from '../../../harness/temporaryContractStore.ts';

const location = { file: 'contracts/environments.yaml', line: 4, column: 3 };

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

async function read(text: string | undefined, options: Partial<ReadGatewaySettingsOptions> = {}) {
  using disk = new TemporaryContractStore(text === undefined ? {} : { 'gateway.yaml': text });
  const { gatewaySettings, problems } = await readGatewaySettings({
    directory: disk.directory,
    gatewayConfig: disk.path('gateway.yaml'),
    ...options,
  });
  const reported = problems.map(({ rule, severity, message, location }) => {
    expect(severity).toBe('misuse');
    return [
      rule,
      message.replace(disk.root, ''),
      location && [location.file.replace(disk.root, ''), location.line, location.column],
    ];
  });
  return { gatewaySettings, reported };
}

describe('readGatewaySettings', () => {
  test('returns the defaults when nothing is known', async () => {
    const read = await readGatewaySettings({ directory: 'contracts' });
    expect(read).toEqual({
      gatewaySettings: { ...defaultGatewaySettings, stepLatencyMs: undefined },
      problems: [],
    });
  });

  test('reads a configuration with unset environment variables', async () => {
    const { gatewaySettings, reported } = await read(config);
    expect(reported).toEqual([]);
    expect(gatewaySettings).toMatchObject({
      cache: {
        enabled: true,
        rules: { 'Product.stock': { maxAge: 5_000, staleWhileRevalidate: 0, staleIfError: 60_000 } },
      },
      enrichments: { fields: { 'Product.recommended': {} }, budget: 80 },
      waitsForAll: false,
    });
  });

  test('reads the memory of the planner, which may not depend on an unset environment variable', async () => {
    const withMemory = (memory: string) => read(`${config}planning: { memory: ${memory} }\n`);
    expect((await withMemory('2GB')).gatewaySettings.planningMemory).toBe(2 * 1024 ** 3);
    expect((await read(config)).gatewaySettings.planningMemory).toBeUndefined();
    expect((await withMemory(`"\${NOBODY_SETS_THIS}"`)).reported).toEqual([
      ['gateway-config-invalid', expect.stringContaining('planning.memory'), expect.anything()],
    ]);
  });

  test('reads the limits of operations, which may not depend on an unset environment variable', async () => {
    const withLimits = (limits: string) => read(`${config}limits: ${limits}\n`);
    const { limits } = defaultGatewaySettings;
    const set = `{ aliases: 5000, webSockets: "\${NOBODY_SETS_THIS}" }`;
    expect(await withLimits(set)).toMatchObject({
      gatewaySettings: { limits: { ...limits, aliases: 5_000 } },
      reported: [],
    });
    expect((await read(config)).gatewaySettings.limits).toEqual(limits);
    expect((await withLimits('{ cost: { max: 50 } }')).gatewaySettings.cost).toEqual({
      max: 50,
      listSize: 10,
    });
    expect((await withLimits('{ rate: { cost: 700, window: 1h } }')).gatewaySettings.rateCost).toBe(700);
    expect((await withLimits(`{ cost: { max: "\${NOBODY_SETS_THIS}" } }`)).reported).toEqual([
      ['gateway-config-invalid', expect.stringContaining('limits.cost.max'), expect.anything()],
    ]);
    expect((await withLimits(`{ depth: "\${NOBODY_SETS_THIS}" }`)).reported).toEqual([
      ['gateway-config-invalid', expect.stringContaining('limits.depth'), expect.anything()],
    ]);
  });

  test('locates every rule', async () => {
    const { gatewaySettings } = await read(config);
    const locations = [
      gatewaySettings.locate?.('cache.rules', 'Product.stock'),
      gatewaySettings.locate?.('enrichment.fields', 'Product.recommended'),
    ];
    expect(locations.map((found) => [found?.line, found?.column])).toEqual([
      [6, 5],
      [12, 5],
    ]);
  });

  test.each([
    ['enrichment: { mode: never }', { waitsForAll: true }],
    ['enrichment: { shadow: true }', { waitsForAll: true }],
    ['cache: { enabled: false }', { cache: { enabled: false, rules: {} } }],
    // The command line may name the supergraph instead.
    ['', { waitsForAll: false }],
  ])('%s', async (text, expected) => {
    const { gatewaySettings, reported } = await read(text);
    expect(reported).toEqual([]);
    expect(gatewaySettings).toMatchObject(expected);
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
      [
        'gateway-config-unreadable',
        expect.stringContaining('This is not valid YAML'),
        ['/gateway.yaml', 2, 11],
      ],
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
  ])('reports a mistake with its location: %s', async (_, text, problem) => {
    const { gatewaySettings, reported } = await read(text);
    expect(reported).toEqual([problem]);
    expect(gatewaySettings).toEqual({ ...defaultGatewaySettings, stepLatencyMs: undefined });
  });
});

describe('readGatewaySettings with an environment', () => {
  const environment: Environment = {
    name: 'production',
    subgraphs: new Map(),
    gateways: [],
    gatewayConfig: { file: '../gateway.yaml', location },
    stepLatencyMs: 30,
    location,
  };

  test("reads the environment's configuration relative to the store", async () => {
    const { gatewaySettings, reported } = await read(config, { environment, gatewayConfig: undefined });
    expect(reported).toEqual([]);
    expect([gatewaySettings.stepLatencyMs, gatewaySettings.enrichments.budget]).toEqual([30, 80]);
  });

  test('prefers arguments to the environment', async () => {
    const elsewhere = { ...environment, gatewayConfig: { file: 'nowhere.yaml', location } };
    const { gatewaySettings, reported } = await read(config, { environment: elsewhere, stepLatency: '50ms' });
    expect(reported).toEqual([]);
    expect([gatewaySettings.stepLatencyMs, gatewaySettings.enrichments.budget]).toEqual([50, 80]);
  });

  test('reports a missing configuration file at its location in environments.yaml', async () => {
    const { reported } = await read(undefined, { environment, gatewayConfig: undefined });
    expect(reported).toEqual([
      [
        'gateway-config-unreadable',
        '/gateway.yaml does not exist.',
        [location.file, location.line, location.column],
      ],
    ]);
  });

  test.each(['soon', '0ms', '50', '9999h'])('refuses the step latency %s', async (stepLatency) => {
    const { reported } = await read(config, { stepLatency });
    expect(reported).toEqual([['argument-invalid', expect.stringContaining(`"${stepLatency}"`), undefined]]);
  });
});
