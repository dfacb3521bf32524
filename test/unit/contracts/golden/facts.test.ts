import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { DeploymentOrder } from '../../../../gateway/contracts/finding.ts';
import { changeContracts } from './changeContracts.ts';
import { baseContracts, consumerOperations } from './goldenGraph.ts';
import type { ExpectedFinding } from './goldenRow.ts';
import { goldenTable } from './goldenTable.ts';
import {
  type Facts,
  type LoadedContracts,
  loadContracts,
  type OperationFacts,
  runFacts,
} from './runFacts.ts';

let old: LoadedContracts;

beforeAll(async () => {
  old = await loadContracts(baseContracts);
});

afterAll(() => old.supergraph.planner.close());

test('without a change everything works, and brings the same', async () => {
  const { refusal, operations } = await runFacts(old, baseContracts, consumerOperations);
  expect([refusal, [...operations.values()]]).toEqual([
    undefined,
    consumerOperations.map(() => ({ breaksInTheEnd: undefined, rollouts: new Map(), differs: false })),
  ]);
});

test.each(goldenTable)('$name', async ({ edits, findings }) => {
  const facts = await runFacts(old, changeContracts(edits), consumerOperations);
  const aboutRuns = findings.filter(({ rule }) => !agreements.has(rule));

  expect(facts.refusal !== undefined).toBe(aboutRuns.some(({ rule }) => refusals.has(rule)));
  expect(ordersSaid(aboutRuns)).toEqual(ordersFound(aboutRuns, facts));
  expect(inTrouble(facts).difference(affectedBy(aboutRuns, isAboutOrder))).toEqual(new Set());
  expect(broken(facts).difference(affectedBy(aboutRuns, isBreaking))).toEqual(new Set());
  expect(differing(facts).difference(affectedBy(aboutRuns, isNotSafe))).toEqual(new Set());
});

/** Rules about what was agreed on besides that operations work. */
const agreements: ReadonlySet<string> = new Set([
  'plan-cost',
  'latency-slo',
  'cached-made-public',
  'staleness-slo',
  'enrichment-contract',
  'slo-unmatched',
  'gateway-config-outdated',
]);

const refusals: ReadonlySet<string> = new Set(['composition-error', 'supergraph-refused']);

const isAboutOrder = ({ order }: ExpectedFinding): boolean => order !== undefined;
const isBreaking = ({ severity }: ExpectedFinding): boolean => severity === 'breaking';
const isNotSafe = ({ severity, order }: ExpectedFinding): boolean =>
  severity !== 'safe' || order !== undefined;

function affectedBy(
  findings: readonly ExpectedFinding[],
  isMeant: (finding: ExpectedFinding) => boolean,
): Set<string> {
  return new Set(findings.filter(isMeant).flatMap(({ affects }) => affects));
}

/** Operations that break at any time. */
function inTrouble({ operations }: Facts): Set<string> {
  return namesOf(operations, ({ breaksInTheEnd, rollouts }) =>
    [breaksInTheEnd, ...[...rollouts.values()].flatMap((one) => [one.oldGateway, one.newGateway])].some(
      (reason) => reason !== undefined,
    ),
  );
}

/** Operations that break in the end, or in whichever order one of the subgraphs is rolled out. */
function broken({ operations }: Facts): Set<string> {
  return namesOf(
    operations,
    ({ breaksInTheEnd, rollouts }) =>
      breaksInTheEnd !== undefined ||
      [...rollouts.values()].some((one) => one.oldGateway !== undefined && one.newGateway !== undefined),
  );
}

function differing({ operations }: Facts): Set<string> {
  return namesOf(operations, ({ differs }) => differs);
}

function namesOf(operations: Facts['operations'], isMeant: (facts: OperationFacts) => boolean): Set<string> {
  return new Set([...operations].filter(([, facts]) => isMeant(facts)).map(([name]) => name));
}

/** The order of each finding by what the table says, and what really happens to the operations that it names. Where it
 *  names none that are in trouble, it has none. */
function ordersSaid(findings: readonly ExpectedFinding[]) {
  return findings.map(({ rule, coordinate, order, severity, affects }) => ({
    rule,
    coordinate,
    order,
    // What breaks nothing in any order is not breaking, except where there is no graph at all.
    isBreaking: severity === 'breaking' && !refusals.has(rule),
    affects: order === undefined ? [] : affects,
  }));
}

function ordersFound(findings: readonly ExpectedFinding[], facts: Facts) {
  return findings.map(({ rule, coordinate, subgraph = '', affects }) => {
    const own = affects.flatMap((name) => {
      const found = facts.operations.get(name);
      return found === undefined ? [] : [{ name, found }];
    });
    const inTroubleHere = own.filter(({ found }) => {
      const rollout = found.rollouts.get(subgraph);
      return (
        found.breaksInTheEnd !== undefined ||
        rollout?.oldGateway !== undefined ||
        rollout?.newGateway !== undefined
      );
    });
    const order = orderOf(
      subgraph,
      inTroubleHere.map(({ found }) => found),
    );
    return {
      rule,
      coordinate,
      order,
      isBreaking: order === 'expand and contract',
      affects: inTroubleHere.map(({ name }) => name),
    };
  });
}

function orderOf(subgraph: string, operations: readonly OperationFacts[]): DeploymentOrder | undefined {
  const rollouts = operations.flatMap((facts) => facts.rollouts.get(subgraph) ?? []);
  const needsGateway = rollouts.some(({ oldGateway }) => oldGateway !== undefined);
  const needsSubgraph = rollouts.some(({ newGateway }) => newGateway !== undefined);
  if (operations.some(({ breaksInTheEnd }) => breaksInTheEnd !== undefined)) return 'expand and contract';
  if (needsGateway && needsSubgraph) return 'expand and contract';
  if (needsGateway) return 'gateway first';
  return needsSubgraph ? 'subgraph first' : undefined;
}
