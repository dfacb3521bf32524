import { expect } from '@jest/globals';
import { type CheckRequest, checkContracts } from '../../../contracts/checkContracts.ts';
import type { CheckSteps } from '../../../contracts/checkSteps.ts';
import type { ConsumerOperation, Contracts, SubgraphContract } from '../../../contracts/contractStore.ts';
import type { Finding } from '../../../contracts/finding.ts';
import type { GatewaySettings } from '../../../contracts/gatewaySettings.ts';
import type { ComposedContracts, ContractGraph } from '../../../contracts/graph/composeGraph.ts';
import type { PlannedGraph } from '../../../contracts/graph/planConsumerOperations.ts';
import { TemporaryContractStore } from '../../harness/temporaryContractStore.ts';

export const [a1, a2, b1, b2] = ['scalar A1', 'scalar A2', 'scalar B1', 'scalar B2'];

export const agreed = {
  'contracts/schemas/a.graphql': a1,
  'contracts/schemas/b.graphql': b1,
  'contracts/operations/shop/page.graphql': 'query Page { a }',
};

/** `a` changes in an environment that runs two versions of `b`. */
export const storeWithTwoRunningVersions = (more: Readonly<Record<string, string>> = {}) =>
  new TemporaryContractStore({ ...agreed, ...more })
    .commit('v1')
    .write({ 'contracts/schemas/b.graphql': b2 })
    .commit('v2')
    .write({
      'contracts/schemas/a.graphql': a2,
      'contracts/environments.yaml': 'production: { subgraphs: { a: v1, b: [v1, v2] } }',
    });

/** Checks a store with fake steps, and that they release what they take. */
export async function check(
  disk: TemporaryContractStore,
  request: Partial<CheckRequest> = {},
  steps = new FakeCheckSteps(),
) {
  const progress: string[] = [];
  const onProgress = (message: string) => progress.push(message.replaceAll(disk.root, ''));
  const report = await checkContracts(
    { directory: disk.directory, today: '2026-11-25', retryAfterMs: 0, onProgress, ...request },
    steps,
  );
  const found = report.findings.map(({ rule, severity, subgraph, waivedBy }) =>
    [waivedBy === undefined ? severity : 'waived', rule, subgraph].filter(Boolean).join(' '),
  );
  expect(steps.openPlanners).toBe(0);
  expect(steps.maxCompositions).toBeLessThanOrEqual(1);
  return { report, found, calls: steps.calls, progress };
}

/** Steps of a check that record their calls and return the findings of the test. */
export class FakeCheckSteps implements CheckSteps {
  /** One line per call, such as `diff products: v1.graphql → v2.graphql`. */
  readonly calls: string[] = [];
  /** Findings of `diffSubgraph` by subgraph. */
  readonly changes = new Map<string, Finding>();
  /** Findings of `evaluateChange` besides the changes. */
  evaluationFindings: readonly Finding[] = [];
  bootFindings: readonly Finding[] = [];
  /** Contracts with this text do not compose. */
  uncomposable = 'nothing';
  openPlanners = 0;
  runningCompositions = 0;
  /** The largest number of compositions that ran at the same time. */
  maxCompositions = 0;
  /** `planningMemory` of each loaded graph and each started gateway. */
  readonly planningMemory: (number | undefined)[] = [];

  /** `isRollout` of each evaluated change. */
  readonly rollouts: boolean[] = [];

  async diffSubgraph(
    old: SubgraphContract | undefined,
    next: SubgraphContract | undefined,
  ): Promise<readonly Finding[]> {
    const name = old?.name ?? next?.name ?? '';
    this.calls.push(`diff ${name}: ${old?.sdl} → ${next?.sdl}`);
    const change = this.changes.get(name);
    return change === undefined ? [] : [change];
  }

  async composeContracts(contracts: Contracts): Promise<ComposedContracts> {
    this.calls.push(`compose ${describe(contracts)}`);
    this.runningCompositions += 1;
    this.maxCompositions = Math.max(this.maxCompositions, this.runningCompositions);
    await undefined;
    this.runningCompositions -= 1;
    if ([...contracts.values()].some(({ sdl }) => sdl.includes(this.uncomposable))) {
      const finding: Finding = { rule: 'composition-error', severity: 'breaking', message: 'No.' };
      return { findings: [finding] };
    }
    return { sdl: describe(contracts), hints: [] };
  }

  async loadGraph(contracts: Contracts, composed: ComposedContracts, { planningMemory }: GatewaySettings) {
    this.planningMemory.push(planningMemory);
    if ('findings' in composed) return composed;
    this.openPlanners += 1;
    const close = async () => {
      this.openPlanners -= 1;
    };
    return { graph: { contracts, supergraph: { planner: { close } } } as unknown as ContractGraph };
  }

  async bootGateway(
    { contracts }: ContractGraph,
    _operations: readonly ConsumerOperation[],
    { planningMemory }: GatewaySettings,
  ): Promise<readonly Finding[]> {
    this.planningMemory.push(planningMemory);
    this.calls.push(`boot ${describe(contracts)}`);
    return this.bootFindings;
  }

  async planConsumerOperations(
    ...[graph, operations, { onProgress }]: Parameters<CheckSteps['planConsumerOperations']>
  ) {
    this.calls.push(`plan ${operations.map(({ name }) => name)} for ${describe(graph.contracts)}`);
    onProgress?.(operations.length, operations.length, 'planning');
    return new Map();
  }

  evaluateUncomposableChange({
    changes,
    compositionFindings,
  }: Parameters<CheckSteps['evaluateUncomposableChange']>[0]) {
    return [...changes, ...compositionFindings];
  }

  evaluateChange({
    changes,
    old,
    gateway,
    next,
    operations,
    isRollout = false,
  }: Parameters<CheckSteps['evaluateChange']>[0]) {
    this.rollouts.push(isRollout);
    const [before, running, after] = [old, gateway, next].map(describeGraph);
    const names = operations.map(({ name }) => name);
    const held = running === before ? '' : ` with gateways of ${running}`;
    this.calls.push(`evaluate ${changes.length} changes, ${names}: ${before}${held} → ${after}`);
    return [...changes, ...this.evaluationFindings];
  }
}

function describeGraph(planned: PlannedGraph | undefined): string {
  return planned === undefined ? 'nothing' : describe(planned.graph.contracts);
}

function describe(contracts: Contracts): string {
  return `(${[...contracts.values()].map(({ name, sdl }) => `${name} ${sdl}`).join(', ')})`;
}
