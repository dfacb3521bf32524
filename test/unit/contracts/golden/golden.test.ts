import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { ConsumerOperation } from '../../../../contracts/contractStore.ts';
import type { DeploymentOrder } from '../../../../contracts/finding.ts';
import type { PlannedGraph } from '../../../../contracts/graph/planConsumerOperations.ts';
import { choosePart } from '../../../harness/seeds.ts';
import { changeContracts, type Edit } from './changeContracts.ts';
import { checkContractsAgainst, planContracts } from './checkChange.ts';
import { findLocationProblem } from './findLocationProblem.ts';
import { type Contracts, consumerOperations, operationsOf } from './goldenGraph.ts';
import { independentPairs, interactingChanges } from './goldenPairs.ts';
import { type ExpectedFinding, type GoldenRow, toExpectedFinding } from './goldenRow.ts';
import { goldenScenarios } from './goldenScenarios.ts';
import { goldenTable } from './goldenTable.ts';
import {
  broken,
  brokenAtAnyTime,
  differing,
  type LoadedContracts,
  loadContracts,
  type OperationRunResult,
  type RunResults,
  runOperations,
} from './runOperations.ts';

// Each row is checked and executed one after the other, so that both use one composition and one planner. A commit checks
// half of the single changes, a quarter of the rows with several changes and with graphs of their own, a sixth of the pairs
// of independent changes, and executes a twelfth of all rows. `npm run test:long` does everything for all.
const parts = 12;
const executedPart = choosePart(parts);

interface Start {
  readonly contracts: Contracts;
  readonly operations: readonly ConsumerOperation[];
  readonly planned: PlannedGraph;
  readonly loaded: LoadedContracts;
}

const starts: Start[] = [];

/** The graph and the operations before a change; those of the base are shared. */
async function startOf({ before = [], operations = '' }: Pick<GoldenRow, 'before' | 'operations'>) {
  const contracts = changeContracts(before);
  const all = [...consumerOperations, ...operationsOf(operations)];
  const isBase = before.length === 0 && operations === '';
  const [known] = starts;
  if (isBase && known !== undefined) return known;
  const planned = await planContracts(contracts, all);
  if ('findings' in planned) throw new Error(planned.findings.map(({ message }) => message).join('\n'));
  const start = { contracts, operations: all, planned, loaded: await loadContracts(contracts) };
  starts.push(start);
  return start;
}

beforeAll(() => startOf({}));

afterAll(() => Promise.all(starts.map(({ loaded }) => loaded.supergraph.planner.close())));

describe('no change', () => {
  test('has no findings', async () => {
    const { planned, contracts } = await startOf({});
    expect(await checkContractsAgainst(planned, contracts)).toEqual([]);
  });

  test('leaves every operation working, with the same data', async () => {
    const { loaded, contracts } = await startOf({});
    const { refusal, operations } = await runOperations(loaded, contracts, consumerOperations);
    expect([refusal, [...operations.values()]]).toEqual([
      undefined,
      consumerOperations.map(() => ({
        breakageAfterRollout: undefined,
        rollouts: new Map(),
        isDataChanged: false,
      })),
    ]);
  });
});

/** The rows that the given one of all `parts` checks, and whether it executes them. Each part counts the rows from its own
 *  first one and continues at the start of the list, so that every commit runs the same number of tests. */
function rowsOfPart(all: readonly GoldenRow[], checkedParts: number, part: number | undefined) {
  return all
    .map((row, index) => {
      const position = part === undefined ? 0 : (index - part + all.length) % all.length;
      return { ...row, isChecked: position % checkedParts === 0, isExecuted: position % parts === 0 };
    })
    .filter(({ isChecked }) => isChecked);
}

function chooseRows(part: number | undefined) {
  return [
    ...rowsOfPart(goldenTable, 2, part),
    ...rowsOfPart([...interactingChanges, ...goldenScenarios], 4, part),
    ...rowsOfPart(independentPairs, 6, part),
  ];
}

describe('the parts of the table', () => {
  const chosen = Array.from({ length: parts }, (_, part) => chooseRows(part));

  test('have the same number of rows to check and to execute', () => {
    const counts = chosen.map((rows) => [rows.length, rows.filter(({ isExecuted }) => isExecuted).length]);
    expect(counts).toEqual(counts.map(() => counts[0]));
  });

  test('execute all rows together', () => {
    const executed = chosen.flatMap((rows) => rows.filter(({ isExecuted }) => isExecuted));
    const all = [...goldenTable, ...interactingChanges, ...goldenScenarios, ...independentPairs];
    expect(new Set(executed.map(({ name }) => name))).toEqual(new Set(all.map(({ name }) => name)));
  });
});

describe.each(chooseRows(executedPart))('$name', (row) => {
  const { edits, findings, isExecuted } = row;

  test('has the expected findings, each with advice and a correct location', async () => {
    const { planned, contracts: before } = await startOf(row);
    const contracts = changeContracts(edits, before);
    const found = await checkContractsAgainst(planned, contracts);
    expect(sorted(found.map(toExpectedFinding))).toEqual(sorted(findings));
    expect(found.filter(({ advice }) => advice === undefined)).toEqual([]);
    expect(found.flatMap((finding) => findLocationProblem(finding, before, contracts) ?? [])).toEqual([]);
  });

  if (!isExecuted) return;

  test('does to executed operations what its findings say', async () => {
    const { loaded, contracts: before, operations } = await startOf(row);
    const aboutRuns = findings.filter(({ rule }) => !contractTerms.has(rule));
    for (const world of worldsOf(edits, aboutRuns)) {
      const next = changeContracts(world.edits, before);
      const results = await runOperations(loaded, next, operations);
      expect(results.refusal !== undefined).toBe(world.findings.some(({ rule }) => refusals.has(rule)));
      expect(expectedOrders(world.findings, results)).toEqual(ordersFound(world.findings, results));
      expect(brokenAtAnyTime(results).difference(affectedBy(world.findings, isAboutOrder))).toEqual(
        new Set(),
      );
      expect(broken(results).difference(affectedBy(world.findings, isBreaking))).toEqual(new Set());
      expect(differing(results).difference(affectedBy(world.findings, isNotSafe))).toEqual(new Set());
    }
  });
});

function sorted<Value>(values: readonly Value[]): readonly Value[] {
  return values.toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
}

interface World {
  readonly edits: readonly Edit[];
  readonly findings: readonly ExpectedFinding[];
}

/** The worlds to execute: all changes at once. When one change does not compose, the others run without it, because
 *  their rollout order is about the supergraph that will exist. */
function worldsOf(edits: readonly Edit[], findings: readonly ExpectedFinding[]): readonly World[] {
  const waiting = new Set(
    findings.flatMap(({ order, subgraph }) => (order === 'gateway first' ? (subgraph ?? []) : [])),
  );
  const isRefused = findings.some(({ rule }) => refusals.has(rule));
  if (!isRefused || waiting.size === 0) return [{ edits, findings }];
  return [true, false].map((isWaiting) => ({
    edits: edits.filter(({ subgraph }) => waiting.has(subgraph) === isWaiting),
    findings: findings.filter(({ subgraph = '' }) => waiting.has(subgraph) === isWaiting),
  }));
}

/** Contract term rules: they say nothing about whether operations work. */
const contractTerms: ReadonlySet<string> = new Set([
  'plan-cost',
  'latency-slo',
  'cached-made-public',
  'staleness-slo',
  'enrichment-contract',
  'slo-unmatched',
  'gateway-config-outdated',
  'cost-limit',
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

/** Compares the rollout order of each finding in the table with what happens to its operations. A finding without
 *  broken operations has no order. */
function expectedOrders(findings: readonly ExpectedFinding[], results: RunResults) {
  const changed = differing(results).difference(brokenAtAnyTime(results));
  return findings.map((finding) => ({
    rule: finding.rule,
    coordinate: finding.coordinate,
    order: finding.order,
    // A finding that breaks nothing in any order is not breaking, unless there is no graph.
    isBreaking: finding.severity === 'breaking' && !refusals.has(finding.rule),
    // Another default value breaks some operations, and only changes the data of others.
    affects: ownAffects(finding).filter(
      (name) => !finding.rule.endsWith('-default-changed') || !changed.has(name),
    ),
  }));
}

function ownAffects({ order, affects }: ExpectedFinding): readonly string[] {
  return order === undefined ? [] : affects;
}

function ordersFound(findings: readonly ExpectedFinding[], results: RunResults) {
  return findings.map((finding) => {
    const { rule, coordinate, subgraph = '', affects } = finding;
    const own = affects.flatMap((name) => {
      const found = results.operations.get(name);
      return found === undefined ? [] : [{ name, found }];
    });
    const brokenHere = own.filter(({ found }) => {
      const rollout = found.rollouts.get(subgraph);
      return (
        found.breakageAfterRollout !== undefined ||
        rollout?.oldGateway !== undefined ||
        rollout?.newGateway !== undefined
      );
    });
    const order = orderOf(
      subgraph,
      brokenHere.map(({ found }) => found),
    );
    const names = brokenHere.map(({ name }) => name);
    // When several changes affect one operation, each has its own order, and the strictest is observed.
    const isOfAnother = findings.some(
      (other) =>
        other !== finding && other.order === order && other.affects.some((name) => names.includes(name)),
    );
    if (isOfAnother && order === 'expand and contract' && finding.severity !== 'breaking') {
      return { rule, coordinate, order: finding.order, isBreaking: false, affects: ownAffects(finding) };
    }
    return { rule, coordinate, order, isBreaking: order === 'expand and contract', affects: names };
  });
}

function orderOf(subgraph: string, operations: readonly OperationRunResult[]): DeploymentOrder | undefined {
  const rollouts = operations.flatMap((results) => results.rollouts.get(subgraph) ?? []);
  const needsGateway = rollouts.some(({ oldGateway }) => oldGateway !== undefined);
  const needsSubgraph = rollouts.some(({ newGateway }) => newGateway !== undefined);
  if (operations.some(({ breakageAfterRollout }) => breakageAfterRollout !== undefined))
    return 'expand and contract';
  if (needsGateway && needsSubgraph) return 'expand and contract';
  if (needsGateway) return 'gateway first';
  return needsSubgraph ? 'subgraph first' : undefined;
}
