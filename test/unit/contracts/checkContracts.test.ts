import { describe, expect, test } from '@jest/globals';
import type { CheckRequest } from '../../../contracts/checkContracts.ts';
import type { Finding } from '../../../contracts/finding.ts';
import { TemporaryContractStore } from '../../harness/temporaryContractStore.ts';
import {
  a1,
  a2,
  agreed,
  b1,
  b2,
  check,
  FakeCheckSteps,
  storeWithTwoRunningVersions,
} from './fakeCheckSteps.ts';

const change: Finding = {
  rule: 'field-removed',
  severity: 'breaking',
  message: 'Query.a is gone.',
  subgraph: 'a',
  coordinate: 'Query.a',
};

const waiver = (more = '') =>
  `- { rule: field-removed, coordinate: Query.a, reason: It is time., owner: shop, expires: 2027-01-31${more} }\n`;

describe('an incomplete check', () => {
  test('compares the other subgraphs when a schema does not parse', async () => {
    using disk = new TemporaryContractStore(agreed).commit('v1');
    disk.write({ 'contracts/schemas/a.graphql': 'type', 'contracts/schemas/b.graphql': b2 });
    const { calls, found, report } = await check(disk);
    expect(calls).toEqual([`diff b: ${b1} → ${b2}`]);
    expect([found, report.summary.exitCode]).toEqual([['misuse schema-unparseable a'], 2]);
  });

  test('reports other changes when an earlier schema does not parse', async () => {
    using disk = new TemporaryContractStore({ ...agreed, 'contracts/schemas/a.graphql': 'type' })
      .commit('v1')
      .write({ ...agreed, 'contracts/schemas/b.graphql': b2 });
    const { calls, found, report } = await check(disk);
    expect(calls).toEqual([
      `compose (a ${a1}, b ${b2})`,
      `diff b: ${b1} → ${b2}`,
      `plan Page for (a ${a1}, b ${b2})`,
      `boot (a ${a1}, b ${b2})`,
      `evaluate 0 changes, Page: nothing → (a ${a1}, b ${b2})`,
    ]);
    expect([found, report.summary.exitCode]).toEqual([['safe baseline-not-composed a'], 0]);
    expect(report.findings[0]?.location).toEqual({
      file: `HEAD:${disk.directory}/schemas/a.graphql`,
      line: 1,
      column: 5,
    });
  });

  test('ignores other mistakes of an earlier store', async () => {
    using disk = new TemporaryContractStore({ ...agreed, 'contracts/waivers.yaml': '[' }).commit('v1');
    disk.write({ 'contracts/waivers.yaml': '' });
    expect((await check(disk)).found).toEqual([]);
  });

  test('reports changes beside composition errors', async () => {
    using disk = new TemporaryContractStore(agreed).commit('v1').write({ 'contracts/schemas/a.graphql': a2 });
    const steps = new FakeCheckSteps();
    steps.uncomposable = a2;
    steps.changes.set('a', change);
    const { calls, found, report } = await check(disk, {}, steps);
    expect(calls).toEqual([
      `compose (a ${a2}, b ${b1})`,
      `diff a: ${a1} → ${a2}`,
      `compose (a ${a1}, b ${b1})`,
      // The graph of the running gateways.
      `plan Page for (a ${a1}, b ${b1})`,
    ]);
    expect([found, report.summary.exitCode]).toEqual([
      ['breaking composition-error', 'breaking field-removed a'],
      1,
    ]);
  });

  test('reports baseline-not-composed for an earlier graph that does not compose', async () => {
    using disk = new TemporaryContractStore(agreed).commit('v1').write({ 'contracts/schemas/a.graphql': a2 });
    const steps = new FakeCheckSteps();
    steps.uncomposable = a1;
    const { calls, found } = await check(disk, {}, steps);
    expect(calls.at(-1)).toBe(`evaluate 0 changes, Page: nothing → (a ${a2}, b ${b1})`);
    expect(found).toEqual(['safe baseline-not-composed']);
  });

  test('reports a missing store', async () => {
    using disk = new TemporaryContractStore();
    const { calls, found, report } = await check(disk);
    expect([calls, found, report.summary.exitCode]).toEqual([
      [],
      ['misuse store-missing', 'safe nothing-to-compare'],
      2,
    ]);
  });

  test('reports a missing store when the directory is a file, inside of Git or not', async () => {
    using disk = new TemporaryContractStore({ ...agreed, file: '' });
    const missing = ['misuse store-missing', 'safe nothing-to-compare'];
    expect((await check(disk, { directory: disk.path('file') })).found).toEqual(missing);
    disk.commit('v1');
    expect((await check(disk, { directory: disk.path('file') })).found).toEqual(missing);
  });

  test('refuses the name of the settings of all subgraphs', async () => {
    using disk = new TemporaryContractStore({ ...agreed, 'all.graphql': b2 });
    const { found, report } = await check(disk, { candidates: [`all=${disk.path('all.graphql')}`] });
    expect([found, report.summary.exitCode]).toEqual([['misuse subgraph-name-reserved all'], 2]);
  });

  test('checks the other candidates when one does not answer', async () => {
    using disk = new TemporaryContractStore({ ...agreed, 'b.graphql': b2 });
    const { calls, found, report } = await check(disk, {
      candidates: ['a=http://a.test/', `b=${disk.path('b.graphql')}`],
      fetchSdl: async () => {
        throw new Error('nobody there');
      },
    });
    expect(calls).toContain(`diff b: ${b1} → ${b2}`);
    expect([found, report.summary.exitCode]).toEqual([['undecided subgraph-unreachable a'], 3]);
  });
});

describe('the findings of a check', () => {
  test('come from every step, without duplicates of several comparisons', async () => {
    using disk = new TemporaryContractStore(agreed).commit('v1').write({
      'contracts/schemas/a.graphql': a2,
      'contracts/environments.yaml': 'production: { subgraphs: { a: v1, b: v1 }, gateways: [v1, HEAD] }',
    });
    const steps = new FakeCheckSteps();
    steps.changes.set('a', change);
    steps.bootFindings = [{ rule: 'boot-failed', severity: 'breaking', message: 'It does not start.' }];
    steps.evaluationFindings = [{ rule: 'plan-cost', severity: 'dangerous', message: 'One more hop.' }];
    const { found, report } = await check(disk, { environment: 'production', strict: true }, steps);
    expect(found).toEqual(['breaking boot-failed', 'breaking field-removed a', 'dangerous plan-cost']);
    expect(report.summary.strict).toBe(true);
  });

  test('name the versions when comparisons disagree about one change', async () => {
    using disk = storeWithTwoRunningVersions();
    const steps = new FakeCheckSteps();
    steps.changes.set('a', change);
    const other: Finding = { ...change, coordinate: 'Query.b' };
    steps.evaluateChange = ({ old }) => [
      { ...change, severity: old?.graph.contracts.get('b')?.sdl === b1 ? 'safe' : 'dangerous' },
      other,
    ];
    const { report } = await check(disk, { environment: 'production' }, steps);
    expect(report.findings.map(({ severity, message }) => [severity, message])).toEqual([
      ['breaking', 'Query.a is gone.'],
      ['dangerous', 'Query.a is gone. (compared with production with b v2)'],
      ['safe', 'Query.a is gone. (compared with production)'],
    ]);
  });

  test('name no versions when they are about whole graphs', async () => {
    using disk = storeWithTwoRunningVersions();
    const steps = new FakeCheckSteps();
    steps.evaluateChange = ({ old }) => {
      const revision = old?.graph.contracts.get('b')?.sdl === b1 ? 'v1' : 'v2';
      return [
        { rule: 'baseline-not-composed', severity: 'undecided', message: `${revision} does not compose.` },
      ];
    };
    const { report } = await check(disk, { environment: 'production' }, steps);
    expect(report.findings.map(({ message }) => message)).toEqual([
      'v1 does not compose.',
      'v2 does not compose.',
    ]);
  });

  test('list an operation once when it failed before in some of the comparisons, without a waiver of the earlier change', async () => {
    const broken: Finding = {
      rule: 'operation-broken',
      severity: 'breaking',
      message: 'Page fails.',
      coordinate: 'shop/Page',
    };
    const evaluate = async (failedBefore: readonly string[]) => {
      using disk = storeWithTwoRunningVersions({ 'contracts/waivers.yaml': waiver() });
      const steps = new FakeCheckSteps();
      steps.evaluateChange = ({ old }) => [
        failedBefore.includes(old?.graph.contracts.get('b')?.sdl ?? '')
          ? { ...broken, earlierProblems: [['Query.a']] }
          : broken,
      ];
      const { report } = await check(disk, { environment: 'production' }, steps);
      return report.findings
        .filter(({ rule }) => rule === 'operation-broken')
        .map(({ message, waivedBy }) => [message, waivedBy !== undefined]);
    };
    expect(await evaluate([b1, b2])).toEqual([['Page fails.', true]]);
    expect(await evaluate([b1])).toEqual([['Page fails.', false]]);
    expect(await evaluate([b2])).toEqual([['Page fails.', false]]);
  });

  test('pass with a waiver', async () => {
    using disk = new TemporaryContractStore(agreed).commit('v1');
    disk.write({ 'contracts/schemas/a.graphql': a2, 'contracts/waivers.yaml': waiver() });
    const steps = new FakeCheckSteps();
    steps.changes.set('a', change);
    const passed = await check(disk, {}, steps);
    expect([passed.found, passed.report.summary.exitCode]).toEqual([['waived field-removed a'], 0]);
    const expired = await check(disk, { today: '2027-02-01' }, steps);
    expect([expired.found, expired.report.summary.exitCode]).toEqual([
      ['breaking waiver-expired', 'breaking field-removed a'],
      1,
    ]);
  });
});

describe('an unused waiver', () => {
  const withWaiver = { ...agreed, 'contracts/waivers.yaml': waiver(', subgraph: a') };
  const unused = ['breaking waiver-unused a'];

  test.each<[string, Partial<CheckRequest>]>([
    ['latency-slo', { stepLatency: '40ms' }],
    ['staleness-slo', { gatewayConfig: 'gateway.yaml' }],
    ['gateway-config-outdated', { gatewayConfig: 'gateway.yaml' }],
  ])('of %s is reported only when the check can evaluate it', async (rule, known) => {
    using disk = new TemporaryContractStore({
      ...agreed,
      'contracts/waivers.yaml': waiver().replace('field-removed', rule),
      'gateway.yaml': '',
    });
    const { gatewayConfig } = known;
    const request = gatewayConfig === undefined ? known : { gatewayConfig: disk.path(gatewayConfig) };
    expect((await check(disk)).found).toEqual(['safe nothing-to-compare']);
    expect((await check(disk, request)).found).toEqual(['breaking waiver-unused', 'safe nothing-to-compare']);
  });

  test('for a rule that cannot be waived is reported although the check is incomplete', async () => {
    using disk = new TemporaryContractStore({
      ...agreed,
      'contracts/waivers.yaml': waiver().replace('field-removed', 'composition-error'),
    });
    const steps = new FakeCheckSteps();
    steps.uncomposable = a1;
    const { found, report } = await check(disk, {}, steps);
    expect(found).toEqual([
      'breaking composition-error',
      'breaking waiver-unused',
      'safe nothing-to-compare',
    ]);
    expect(report.findings[1]?.message).toContain('composition-error cannot be waived');
  });

  test('fails the check, whether it is new or older', async () => {
    using disk = new TemporaryContractStore(agreed).commit('v1').write(withWaiver);
    expect((await check(disk)).found).toEqual(unused);
    disk.commit('v2').write({ 'contracts/schemas/a.graphql': a2 });
    expect((await check(disk)).found).toEqual(unused);
  });

  test('fails a check without a baseline', async () => {
    using disk = new TemporaryContractStore(withWaiver);
    expect((await check(disk)).found).toEqual([...unused, 'safe nothing-to-compare']);
  });

  test('that was committed with its change may stay until the next change of its subgraph', async () => {
    using disk = new TemporaryContractStore(withWaiver)
      .commit('v1')
      .write({ 'contracts/schemas/b.graphql': b2 });
    expect((await check(disk)).found).toEqual([]);
  });

  test('without subgraph may stay until it expires when it was committed with its change', async () => {
    using disk = new TemporaryContractStore({ ...agreed, 'contracts/waivers.yaml': waiver() })
      .commit('v1')
      .write({ 'contracts/schemas/b.graphql': b2 });
    expect((await check(disk)).found).toEqual([]);
    expect((await check(disk, { today: '2027-02-01' })).found).toEqual(['breaking waiver-expired']);
  });

  test('is not reported to the team of another subgraph, even if expired', async () => {
    using disk = new TemporaryContractStore({ ...withWaiver, 'a.graphql': a2, 'b.graphql': b2 });
    const found = async (name: string, today: string) =>
      (await check(disk, { today, candidates: [`${name}=${disk.path(`${name}.graphql`)}`] })).found;
    expect([await found('a', '2027-01-31'), await found('b', '2027-01-31')]).toEqual([unused, []]);
    const expired = ['breaking waiver-expired a'];
    expect([await found('a', '2027-02-01'), await found('b', '2027-02-01')]).toEqual([expired, []]);
  });

  test('without subgraph is reported by a check of the whole store only', async () => {
    using disk = new TemporaryContractStore({
      ...agreed,
      'contracts/waivers.yaml': waiver(),
      'a.graphql': a2,
    });
    const candidates = [`a=${disk.path('a.graphql')}`];
    expect((await check(disk, { candidates })).found).toEqual([]);
    expect((await check(disk, { candidates, today: '2027-02-01' })).found).toEqual([]);
    expect((await check(disk)).found).toEqual(['breaking waiver-unused', 'safe nothing-to-compare']);
  });

  test('is not reported for a candidate that equals its contract', async () => {
    using disk = new TemporaryContractStore(withWaiver);
    const candidates = [`a=${disk.path('contracts/schemas/a.graphql')}`];
    expect((await check(disk, { candidates })).found).toEqual([]);
  });

  test('is not reported for one of several environments', async () => {
    using disk = new TemporaryContractStore(withWaiver).commit('v1');
    const candidates = [`a=${disk.path('contracts/schemas/a.graphql')}`];
    const found = async (yaml: string) => {
      disk.write({ 'contracts/environments.yaml': yaml });
      return (await check(disk, { environment: 'staging', candidates })).found;
    };
    const staging = 'staging: { subgraphs: { a: v1, b: v1 } }\n';
    expect(await found(staging)).toEqual(unused);
    expect(await found(`${staging}production: { subgraphs: { a: v1, b: v1 } }\n`)).toEqual([]);
  });

  test('is not reported when the check is incomplete', async () => {
    using disk = new TemporaryContractStore({
      ...withWaiver,
      'contracts/operations/shop/page.graphql': 'query {',
    });
    expect((await check(disk)).found).toEqual(['misuse operation-unparseable', 'safe nothing-to-compare']);
    const steps = new FakeCheckSteps();
    steps.uncomposable = a1;
    disk.write(agreed);
    expect((await check(disk, {}, steps)).found).toEqual([
      'breaking composition-error',
      'safe nothing-to-compare',
    ]);
  });
});
