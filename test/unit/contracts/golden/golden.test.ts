import { beforeAll, expect, test } from '@jest/globals';
import type { PlannedGraph } from '../../../../gateway/contracts/graph/planConsumers.ts';
import { changeContracts } from './changeContracts.ts';
import { checkContractsAgainst, planContracts } from './checkChange.ts';
import { baseContracts } from './goldenGraph.ts';
import { asExpected } from './goldenRow.ts';
import { goldenTable } from './goldenTable.ts';

let base: PlannedGraph;

beforeAll(async () => {
  const planned = await planContracts(baseContracts);
  if ('findings' in planned) throw new Error(planned.findings.map(({ message }) => message).join('\n'));
  base = planned;
});

test('no change is no finding', async () => {
  expect(await checkContractsAgainst(base, baseContracts)).toEqual([]);
});

test.each(goldenTable)('$name', async ({ edits, findings }) => {
  const found = await checkContractsAgainst(base, changeContracts(edits));
  expect(sorted(found.map(asExpected))).toEqual(sorted(findings));
  // Whoever reads it finds the place, and what to do.
  expect(found.filter(({ advice, place }) => advice === undefined || place === undefined)).toEqual([]);
});

function sorted<Value>(values: readonly Value[]): readonly Value[] {
  return values.toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
}
