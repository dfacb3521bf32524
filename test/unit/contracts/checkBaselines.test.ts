import { describe, expect, test } from '@jest/globals';
import type { CheckRequest } from '../../../contracts/checkContracts.ts';
import { maxSchemaBytes } from '../../../contracts/store/schemaFile.ts';
import { TemporaryContractStore } from '../../harness/temporaryContractStore.ts';
import { a1, a2, agreed, b1, b2, check, FakeCheckSteps } from './fakeCheckSteps.ts';

describe('checkContracts compares', () => {
  test('the store with the last commit', async () => {
    using disk = new TemporaryContractStore(agreed).commit('v1').write({ 'contracts/schemas/a.graphql': a2 });
    const { report, calls, progress } = await check(disk);
    expect(calls).toEqual([
      `compose (a ${a2}, b ${b1})`,
      `diff a: ${a1} → ${a2}`,
      `compose (a ${a1}, b ${b1})`,
      `plan Page for (a ${a2}, b ${b1})`,
      `boot (a ${a2}, b ${b1})`,
      `plan Page for (a ${a1}, b ${b1})`,
      `evaluate 0 changes, Page: (a ${a1}, b ${b1}) → (a ${a2}, b ${b1})`,
    ]);
    expect(progress).toEqual([
      'comparing with revision HEAD',
      'composing the candidate: 2 subgraphs',
      'composing revision HEAD: 2 subgraphs',
      'planning for the candidate: 1 of 1',
      'starting a gateway on the candidate',
      'planning for revision HEAD: 1 of 1',
      'rating the changes',
    ]);
    expect(report).toEqual({
      version: 1,
      summary: {
        verdict: 'passed',
        exitCode: 0,
        strict: false,
        counts: { misuse: 0, breaking: 0, undecided: 0, dangerous: 0, safe: 0 },
        waived: 0,
        checked: {
          directory: disk.directory,
          subgraphs: 2,
          consumers: 1,
          operations: 1,
          baselines: ['revision HEAD'],
          changedSubgraphs: 1,
        },
      },
      findings: [],
    });
  });

  test('a store of one subgraph, and counts it as one', async () => {
    using disk = new TemporaryContractStore({ 'contracts/schemas/a.graphql': a1 }).commit('v1');
    expect((await check(disk)).progress).toContain('composing the candidate: 1 subgraph');
  });

  test('an unchanged graph with itself, composed once', async () => {
    using disk = new TemporaryContractStore(agreed).commit('v1');
    const { calls, report } = await check(disk);
    expect(calls).toEqual([
      `compose (a ${a1}, b ${b1})`,
      `plan Page for (a ${a1}, b ${b1})`,
      `boot (a ${a1}, b ${b1})`,
      `evaluate 0 changes, Page: (a ${a1}, b ${b1}) → (a ${a1}, b ${b1})`,
    ]);
    expect(report.summary.checked).toMatchObject({ baselines: ['revision HEAD'], changedSubgraphs: 0 });
  });

  test('candidates with the store in the directory, committed or not', async () => {
    using disk = new TemporaryContractStore({ ...agreed, 'a.graphql': a2, 'c.graphql': b2 });
    const candidates = [`a=${disk.path('a.graphql')}`, `c=${disk.path('c.graphql')}`];
    const { calls, found } = await check(disk, { candidates });
    expect(calls.filter((call) => /diff|evaluate/.test(call))).toEqual([
      `diff a: ${a1} → ${a2}`,
      `diff c: undefined → ${b2}`,
      `evaluate 0 changes, Page: (a ${a1}, b ${b1}) → (a ${a2}, b ${b1}, c ${b2})`,
    ]);
    expect(found).toEqual([]);
  });

  test('a candidate without the line with the URL as unchanged', async () => {
    using disk = new TemporaryContractStore({
      ...agreed,
      'contracts/schemas/a.graphql': `# @url http://a.test/\n${a1}\n`,
      'a.graphql': a1,
    });
    const { calls, report } = await check(disk, { candidates: [`a=${disk.path('a.graphql')}`] });
    expect(calls.filter((call) => /diff|compose/.test(call))).toHaveLength(1);
    expect(report.summary.checked).toMatchObject({ changedSubgraphs: 0 });
  });

  test("with the planner memory of the gateways' configuration", async () => {
    using disk = new TemporaryContractStore({ ...agreed, 'gateway.yaml': 'planning: { memory: 2GB }\n' });
    const steps = new FakeCheckSteps();
    await check(disk, { gatewayConfig: disk.path('gateway.yaml') }, steps);
    expect(steps.planningMemory).toEqual([2 * 1024 ** 3, 2 * 1024 ** 3]);
  });

  test('nothing of a schema beyond the size limit, which is neither parsed nor composed', async () => {
    // It would not parse either.
    const large = `type Query { a: Int } } # ${'x'.repeat(maxSchemaBytes)}`;
    using disk = new TemporaryContractStore({ ...agreed, 'a.graphql': large }).commit('v1');
    const refusal = expect.objectContaining({
      rule: 'schema-too-large',
      severity: 'misuse',
      message: 'The schema of a has 5.1 MB; a check reads schemas of up to 5 MB.',
      advice: expect.stringMatching(/divide the subgraph: several smaller schemas are checked\.$/),
    });
    const candidate = await check(disk, { candidates: [`a=${disk.path('a.graphql')}`] });
    expect([candidate.report.findings, candidate.report.summary.exitCode]).toEqual([[refusal], 2]);
    expect(candidate.calls.filter((call) => call.includes('xxx'))).toEqual([]);
    disk.write({ 'contracts/schemas/a.graphql': large });
    const whole = await check(disk);
    expect([whole.report.findings, whole.calls]).toEqual([[refusal], []]);
  });

  test('a schema that is as large as the limit', async () => {
    const largest = '#'.padEnd(maxSchemaBytes - a1.length - 1, 'x');
    using disk = new TemporaryContractStore({ ...agreed, 'a.graphql': `${largest}\n${a1}` });
    expect((await check(disk, { candidates: [`a=${disk.path('a.graphql')}`] })).found).toEqual([]);
  });

  test('with a revision or a directory, with and without candidates', async () => {
    using disk = new TemporaryContractStore(agreed).commit('v1').write({ 'contracts/schemas/a.graphql': a2 });
    disk.remove('contracts/schemas/b.graphql').commit('v2').write({ 'b.graphql': b2 });
    disk.write({ 'other/schemas/c.graphql': b2 });
    const evaluationOf = async (request: Partial<CheckRequest>) => (await check(disk, request)).calls.at(-1);
    expect([
      await evaluationOf({ against: 'v1' }),
      await evaluationOf({ against: 'v1', candidates: [`b=${disk.path('b.graphql')}`] }),
      await evaluationOf({ against: disk.path('other') }),
    ]).toEqual([
      `evaluate 0 changes, Page: (a ${a1}, b ${b1}) → (a ${a2})`,
      `evaluate 0 changes, Page: (a ${a1}, b ${b1}) → (a ${a2}, b ${b2})`,
      `evaluate 0 changes, Page: (c ${b2}) → (a ${a2})`,
    ]);
  });

  test('with a revision that HEAD does not follow, and says so', async () => {
    using disk = new TemporaryContractStore(agreed).commit('v1');
    disk.write({ 'contracts/schemas/a.graphql': a2 }).commit('v2');
    const baselinesAgainst = async (against: string) =>
      (await check(disk, { against })).report.summary.checked.baselines;
    expect(await baselinesAgainst('v1')).toEqual(['revision v1']);
    disk.git('checkout', '--quiet', 'v1');
    expect(await baselinesAgainst('v2')).toEqual(['revision v2 (not in the history of HEAD)']);
  });

  test('with a revision of a shallow clone, which may be in the history of HEAD', async () => {
    using disk = new TemporaryContractStore(agreed).commit('v1').write({ 'other.txt': '' }).commit('v2');
    disk.git('clone', '--quiet', '--depth=1', '--no-single-branch', `file://${disk.root}`, 'clone');
    const directory = disk.path('clone/contracts');
    const against = async (name: string) => (await check(disk, { directory, against: name })).report;
    const known = await against('v1');
    expect(known.summary.checked.baselines).toEqual(['revision v1']);
    const missing = await against('HEAD~1');
    expect(missing.findings[0]).toMatchObject({
      message: expect.stringContaining('Git knows no revision "HEAD~1" in this shallow clone'),
      advice: expect.stringContaining('"git fetch --unshallow"'),
    });
  });

  test('with the last commit in a hook of Git, which names the repository in an environment variable', async () => {
    using disk = new TemporaryContractStore(agreed).commit('v1');
    process.env.GIT_DIR = disk.path('.git');
    try {
      expect((await check(disk)).report.summary.checked.baselines).toEqual(['revision HEAD']);
    } finally {
      delete process.env.GIT_DIR;
    }
  });

  test('with nothing outside of Git, and checks the operations', async () => {
    using outside = new TemporaryContractStore(agreed);
    using fresh = new TemporaryContractStore({ 'other.txt': '' }).commit('v1').write(agreed);
    using empty = new TemporaryContractStore(agreed);
    empty.git('init', '--quiet');
    for (const disk of [outside, fresh, empty]) {
      const { calls, found, report } = await check(disk);
      expect(calls.at(-1)).toBe(`evaluate 0 changes, Page: nothing → (a ${a1}, b ${b1})`);
      expect(found).toEqual(['safe nothing-to-compare']);
      expect(report.summary.exitCode).toBe(0);
    }
  });

  test('with nothing when git is not installed, and is undecided inside a repository', async () => {
    using kept = new TemporaryContractStore(agreed).commit('v1');
    using outside = new TemporaryContractStore(agreed);
    const { PATH } = process.env;
    process.env.PATH = kept.path('contracts');
    try {
      const [last, named, alone] = [
        await check(kept),
        await check(kept, { against: 'v1' }),
        await check(outside),
      ];
      expect([last, named, alone].map(({ found, report }) => [...found, report.summary.exitCode])).toEqual([
        ['undecided nothing-to-compare', 3],
        ['undecided revision-unknown', 3],
        ['safe nothing-to-compare', 0],
      ]);
      expect(named.report.findings[0]?.message).toContain('git is not installed');
      // A comparison with a directory needs no git.
      expect((await check(kept, { against: outside.directory })).found).toEqual([]);
    } finally {
      process.env.PATH = PATH;
    }
  });

  test('with nothing when a directory and a revision have the same name', async () => {
    using disk = new TemporaryContractStore(agreed).commit('v1').write({ 'other/schemas/c.graphql': b2 });
    disk.git('branch', 'other');
    const before = process.cwd();
    process.chdir(disk.root);
    try {
      const evaluationOf = async (against: string) => (await check(disk, { against })).calls.at(-1);
      const { report, found } = await check(disk, { against: 'other' });
      expect([found, report.summary.exitCode]).toEqual([['misuse argument-invalid'], 2]);
      expect(report.findings[0]?.advice).toBe(
        'Write ./other for the directory, or refs/heads/other for the revision.',
      );
      const next = `(a ${a1}, b ${b1})`;
      expect([await evaluationOf('./other'), await evaluationOf('refs/heads/other')]).toEqual([
        `evaluate 0 changes, Page: (c ${b2}) → ${next}`,
        `evaluate 0 changes, Page: ${next} → ${next}`,
      ]);
    } finally {
      process.chdir(before);
    }
  });

  test('with nothing when Git fails, and is undecided', async () => {
    using disk = new TemporaryContractStore(agreed).commit('v1').write({ '.git/config': 'broken [' });
    const { report, found } = await check(disk);
    expect([found, report.summary.exitCode]).toEqual([['undecided nothing-to-compare'], 3]);
    expect(report.findings[0]?.message).toContain('bad config line 1');
  });
});

describe('checkContracts with an environment', () => {
  const running = (yaml: string) => ({ 'contracts/environments.yaml': yaml });

  /** The store at three revisions. `v1` has a1 and b1, `v2` a2 and b1, `v3` a2 and b2. */
  function threeVersions(yaml: string): TemporaryContractStore {
    return new TemporaryContractStore(agreed)
      .commit('v1')
      .write({ 'contracts/schemas/a.graphql': a2 })
      .commit('v2')
      .write({ 'contracts/schemas/b.graphql': b2 })
      .commit('v3')
      .write(running(yaml));
  }

  test('compares the candidate with every running version', async () => {
    using disk = threeVersions('production: { subgraphs: { a: [v1, v2], b: [v1, v3] } }');
    disk.write({ 'c.graphql': 'scalar C' });
    const candidates = [`c=${disk.path('c.graphql')}`];
    const { calls, progress, found } = await check(disk, { environment: 'production', candidates });
    expect(found).toEqual([]);
    expect(calls.filter((call) => call.startsWith('evaluate'))).toEqual([
      `evaluate 0 changes, Page: (a ${a1}, b ${b1}) → (a ${a1}, b ${b1}, c scalar C)`,
      `evaluate 0 changes, Page: (a ${a2}, b ${b1}) → (a ${a2}, b ${b1}, c scalar C)`,
      `evaluate 0 changes, Page: (a ${a1}, b ${b2}) → (a ${a1}, b ${b2}, c scalar C)`,
    ]);
    expect(progress.filter((line) => line.startsWith('comparing'))).toEqual([
      'comparing with production',
      'comparing with production with a v2',
      'comparing with production with b v3',
    ]);
  });

  test('compares the whole store when there are no candidates', async () => {
    using disk = threeVersions('production: { subgraphs: { a: v1 } }');
    expect((await check(disk, { environment: 'production' })).calls.at(-1)).toBe(
      `evaluate 0 changes, Page: (a ${a1}) → (a ${a2}, b ${b2})`,
    );
  });

  test('uses the supergraph versions of the gateways', async () => {
    using disk = threeVersions('production: { subgraphs: { a: [v1, v2], b: v1 }, gateways: [v3, v1] }');
    const { calls } = await check(disk, { environment: 'production' });
    expect(calls.filter((call) => call.startsWith('evaluate'))).toEqual([
      `evaluate 0 changes, Page: (a ${a1}, b ${b1}) with gateways of (a ${a2}, b ${b2}) → (a ${a2}, b ${b2})`,
      `evaluate 0 changes, Page: (a ${a2}, b ${b1}) with gateways of (a ${a2}, b ${b2}) → (a ${a2}, b ${b2})`,
      `evaluate 0 changes, Page: (a ${a1}, b ${b1}) → (a ${a2}, b ${b2})`,
    ]);
    expect(calls.filter((call) => call.startsWith('compose'))).toHaveLength(3);
  });

  test.each(['staging: { }', 'staging: { stepLatency: 40ms }', 'staging: { subgraphs: { } }'])(
    'has nothing to compare when nothing runs there, so that no problem existed before: %s',
    async (yaml) => {
      using disk = threeVersions(yaml);
      const steps = new FakeCheckSteps();
      const { calls, found, report } = await check(disk, { environment: 'staging' }, steps);
      expect(calls.at(-1)).toBe(`evaluate 0 changes, Page: nothing → (a ${a2}, b ${b2})`);
      expect(steps.rollouts).toEqual([false]);
      expect([found, report.summary.checked.baselines]).toEqual([['safe nothing-to-compare'], []]);
      expect(report.findings[0]).toMatchObject({
        message: 'The changes are not known: the environment staging names no subgraphs.',
        location: { line: 1 },
      });
    },
  );

  test('is a rollout for what its gateways were composed from, although it names no subgraphs', async () => {
    using disk = threeVersions('staging: { gateways: v1 }');
    const steps = new FakeCheckSteps();
    const { calls, found } = await check(disk, { environment: 'staging' }, steps);
    expect(calls.at(-1)).toBe(
      `evaluate 0 changes, Page: nothing with gateways of (a ${a1}, b ${b1}) → (a ${a2}, b ${b2})`,
    );
    expect([steps.rollouts, found]).toEqual([[true], []]);
  });

  test.each([
    [{ environment: 'prod' }, ['misuse environment-unknown'], 'it has production'],
    [
      { environment: 'production', against: 'v1' },
      ['misuse argument-invalid'],
      '--against and --environment',
    ],
  ])('refuses %j', async (request, expected, part) => {
    using disk = threeVersions('production: { subgraphs: { a: v1 } }');
    const { report, found, calls } = await check(disk, request);
    expect([found, calls, report.summary.exitCode]).toEqual([expected, [], 2]);
    expect(report.findings[0]?.message).toContain(part);
  });

  test('reports missing versions at the location of the environment', async () => {
    using disk = threeVersions('production: { subgraphs: { a: [v1, v9], b: v9, c: v1 }, gateways: v8 }');
    const { report } = await check(disk, { environment: 'production' });
    expect(report.summary.exitCode).toBe(2);
    expect(
      report.findings.map(({ rule, message, location }) => [
        rule,
        message.replace(disk.root, ''),
        location?.line,
      ]),
    ).toEqual([
      ['revision-unknown', '/contracts cannot be read at revision v8: Git knows no revision "v8" here.', 1],
      ['revision-unknown', '/contracts cannot be read at revision v9: Git knows no revision "v9" here.', 1],
      ['version-missing', 'production runs c of revision v1, which has no contract of that subgraph.', 1],
    ]);
  });

  test('is undecided when a version cannot be read', async () => {
    using disk = new TemporaryContractStore({ ...agreed, 'contracts/schemas/b.graphql': 'type' })
      .commit('v1')
      .write(agreed);
    disk.write(running('production: { subgraphs: { a: v1, b: v1 } }'));
    disk.write({ 'a.graphql': a2 });
    const candidates = [`a=${disk.path('a.graphql')}`];
    const { calls, found, report } = await check(disk, { environment: 'production', candidates });
    expect([calls, found, report.summary.exitCode]).toEqual([[], ['undecided schema-unparseable b'], 3]);
  });
});
