import { describe, expect, test } from '@jest/globals';
import { determineDeployment } from '../../../../contracts/graph/determineDeployment.ts';

const problem = { message: 'it does not receive size.', coordinates: ['Product.shipping'] };
const rollout = { subgraph: 'stock', oldPlanProblems: [], newPlanProblems: [], isRefused: false };

describe('determineDeployment', () => {
  test('publishes the supergraph first when only old plans fail, and quotes why', () => {
    expect(determineDeployment({ ...rollout, oldPlanProblems: [problem] })).toEqual({
      order: 'gateway first',
      steps: [
        'Publish the new supergraph, and wait until no gateway runs with the old one: its plans fail on the new "stock" (it does not receive size).',
        'Then deploy subgraph "stock".',
      ],
    });
  });

  test('counts the reasons besides the quoted one, and not how many operations fail for one', () => {
    const other = { ...problem, message: 'it does not receive weight.' };
    const quoted = (problems: readonly (typeof problem)[]) =>
      determineDeployment({ ...rollout, newPlanProblems: problems }).steps[1]?.replace(/.* "stock" /, '');
    expect(quoted([problem, problem])).toBe('(it does not receive size).');
    expect(quoted([problem, other, problem])).toBe('(it does not receive size, and 1 more reason).');
    expect(quoted([problem, other, { ...other, message: 'it is gone' }])).toBe(
      '(it does not receive size, and 2 more reasons).',
    );
  });

  test('deploys the subgraph first when only new plans fail, and quotes why', () => {
    expect(determineDeployment({ ...rollout, newPlanProblems: [problem] })).toEqual({
      order: 'subgraph first',
      steps: [
        'Deploy subgraph "stock", and wait until no instance of its old version runs.',
        'Then publish the new supergraph to the gateways: its plans fail on the old "stock" (it does not receive size).',
      ],
    });
  });

  test.each([
    [
      'both fail',
      { oldPlanProblems: [problem], newPlanProblems: [problem] },
      /^Publish .* New plans fail on the old "stock" \(it does not receive size\)\.$/,
    ],
    [
      'the new gateway refuses an operation',
      { oldPlanProblems: [problem], isRefused: true },
      /^Move the consumers/,
    ],
  ])('expands and contracts when %s', (_, problems, second) => {
    expect(determineDeployment({ ...rollout, ...problems })).toEqual({
      order: 'expand and contract',
      steps: [
        expect.stringMatching(
          /^Expand: make a version of subgraph "stock" .* serves Product\.shipping as before; otherwise plans of running gateways fail \(it does not receive size\)\./,
        ),
        expect.stringMatching(second),
        'Contract: remove the old elements from subgraph "stock" in a separate change.',
      ],
    });
  });
});
