import { describe, expect, test } from '@jest/globals';
import { evaluateDeployability } from '../../../contracts/deployability.ts';
import type { Deployment, DeploymentOrder, Finding } from '../../../contracts/finding.ts';
import { createReport } from '../../../contracts/report/createReport.ts';

const checked = { directory: 'contracts', subgraphs: 2, consumers: 1, operations: 1 };

function read(...findings: readonly Partial<Finding>[]) {
  const whole = findings.map(
    (finding): Finding => ({ rule: 'type-added', severity: 'safe', message: 'm', ...finding }),
  );
  return evaluateDeployability(createReport({ findings: whole, strict: false, checked }));
}

const order = (which: DeploymentOrder): Deployment => ({ order: which, steps: [`${which}: first`, 'then'] });

describe('whether a subgraph can be deployed', () => {
  test('yes, where nothing is in the way', () => {
    expect(read({ deployment: order('safe') }, { severity: 'dangerous' })).toEqual({
      exitCode: 0,
      obstacles: [],
      steps: [],
    });
  });

  test('yes, before the gateways', () => {
    expect(read({ deployment: order('subgraph first') }, { deployment: order('subgraph first') })).toEqual({
      exitCode: 0,
      obstacles: [],
      steps: ['subgraph first: first', 'then'],
    });
  });

  test.each(['gateway first', 'expand and contract'] as const)('not yet, where it is %s', (which) => {
    expect(read({ deployment: order(which) })).toMatchObject({
      exitCode: 1,
      obstacles: [{ severity: 'breaking', deployment: { order: which } }],
      steps: [`${which}: first`, 'then'],
    });
  });

  test('yes, where that is waived', () => {
    expect(read({ severity: 'breaking', deployment: order('gateway first'), waivedBy: 'agreed' })).toEqual({
      exitCode: 0,
      obstacles: [],
      steps: [],
    });
  });

  test.each(['waiver-expired', 'waiver-unused'] as const)('yes, whatever %s is told', (rule) => {
    expect(read({ rule, severity: 'breaking' })).toEqual({ exitCode: 0, obstacles: [], steps: [] });
    expect(read({ rule, severity: 'breaking' }, { severity: 'undecided' }).exitCode).toBe(3);
  });

  test.each([
    ['breaking', 1],
    ['misuse', 2],
    ['undecided', 3],
  ] as const)('no, or not known, where something is %s', (severity, exitCode) => {
    expect(read({ severity })).toMatchObject({ exitCode, obstacles: [{ severity }] });
  });
});
