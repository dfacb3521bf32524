import { describe, expect, test } from '@jest/globals';
import { evaluateDeployability } from '../../../contracts/deployability.ts';
import type { Deployment, DeploymentOrder, Finding } from '../../../contracts/finding.ts';
import { createReport } from '../../../contracts/report/createReport.ts';

const checked = { directory: 'contracts', subgraphs: 2, consumers: 1, operations: 1 };

function read(...findings: readonly Partial<Finding>[]) {
  const whole = findings.map(
    (finding): Finding => ({ rule: 'type-added', severity: 'safe', message: 'm', ...finding }),
  );
  const target = { subgraph: 'reviews', environment: 'live' };
  const report = createReport({ findings: whole, strict: false, checked });
  const { findings: obstacles, summary } = evaluateDeployability(report, target);
  const { exitCode, deployability } = summary;
  expect(deployability).toMatchObject(target);
  return { exitCode, obstacles, steps: deployability?.steps };
}

const order = (which: DeploymentOrder): Deployment => ({ order: which, steps: [`${which}: first`, 'then'] });

describe('evaluateDeployability', () => {
  test('allows a deployment without obstacles', () => {
    expect(read({}, { severity: 'dangerous' })).toEqual({
      exitCode: 0,
      obstacles: [],
      steps: [],
    });
  });

  test('allows a deployment before the gateways, with the steps', () => {
    expect(read({ deployment: order('subgraph first') }, { deployment: order('subgraph first') })).toEqual({
      exitCode: 0,
      obstacles: [],
      steps: ['subgraph first: first', 'then'],
    });
  });

  test.each(['gateway first', 'expand and contract'] as const)(
    'forbids a deployment with the order "%s"',
    (which) => {
      expect(read({ deployment: order(which) })).toMatchObject({
        exitCode: 1,
        obstacles: [{ severity: 'breaking', deployment: { order: which } }],
        steps: [`${which}: first`, 'then'],
      });
    },
  );

  test('allows a deployment whose obstacle is waived', () => {
    expect(read({ severity: 'breaking', deployment: order('gateway first'), waivedBy: 'agreed' })).toEqual({
      exitCode: 0,
      obstacles: [],
      steps: [],
    });
  });

  test.each(['waiver-expired', 'waiver-unused'] as const)('ignores findings of %s', (rule) => {
    expect(read({ rule, severity: 'breaking' })).toEqual({ exitCode: 0, obstacles: [], steps: [] });
    expect(read({ rule, severity: 'breaking' }, { severity: 'undecided' }).exitCode).toBe(3);
  });

  test.each([
    ['breaking', 1],
    ['misuse', 2],
    ['undecided', 3],
  ] as const)('returns the exit code of a finding that is %s', (severity, exitCode) => {
    expect(read({ severity })).toMatchObject({ exitCode, obstacles: [{ severity }] });
  });
});
