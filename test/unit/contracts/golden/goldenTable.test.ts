import { beforeAll, expect, test } from '@jest/globals';
import type { PlannedGraph } from '../../../../contracts/graph/planConsumerOperations.ts';
import { changeContracts } from './changeContracts.ts';
import { checkContractsAgainst, planContracts } from './checkChange.ts';
import { findLocationProblem } from './findLocationProblem.ts';
import { baseContracts } from './goldenGraph.ts';
import { goldenPairs } from './goldenPairs.ts';
import { toExpectedFinding } from './goldenRow.ts';
import { goldenTable } from './goldenTable.ts';

let base: PlannedGraph;

beforeAll(async () => {
  const planned = await planContracts(baseContracts);
  if ('findings' in planned) throw new Error(planned.findings.map(({ message }) => message).join('\n'));
  base = planned;
});

test('no change has no findings', async () => {
  expect(await checkContractsAgainst(base, baseContracts)).toEqual([]);
});

test.each([...goldenTable, ...goldenPairs])('$name', async ({ edits, findings }) => {
  const contracts = changeContracts(edits);
  const found = await checkContractsAgainst(base, contracts);
  expect(sorted(found.map(toExpectedFinding))).toEqual(sorted(findings));
  // Every finding has advice and a correct location.
  expect(found.filter(({ advice }) => advice === undefined)).toEqual([]);
  expect(found.flatMap((finding) => findLocationProblem(finding, contracts) ?? [])).toEqual([]);
});

function sorted<Value>(values: readonly Value[]): readonly Value[] {
  return values.toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
}
