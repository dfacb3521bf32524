import type { SubgraphContract } from '../../../gateway/contracts/contractStore.ts';
import type { Finding } from '../../../gateway/contracts/finding.ts';
import type { ComposedContracts, ContractGraph } from '../../../gateway/contracts/graph/composeGraph.ts';
import type { PlannedGraph } from '../../../gateway/contracts/graph/planConsumers.ts';
import type { CheckParts } from '../../../gateway/contracts/parts.ts';

/** Parts of a check that note what they are asked, and find what they are told. */
export class PartDoubles implements CheckParts {
  /** `products: v1.graphql → v2.graphql` for each question, in their order. */
  readonly asked: string[] = [];
  /** What `diffSubgraph` finds, by subgraph. */
  readonly changes = new Map<string, Finding>();
  /** What `judgeChange` finds besides the changes. */
  judged: readonly Finding[] = [];
  booted: readonly Finding[] = [];
  /** Contracts with this text do not compose. */
  uncomposable = 'nothing';
  openPlanners = 0;

  async diffSubgraph(
    old: SubgraphContract | undefined,
    next: SubgraphContract | undefined,
  ): Promise<readonly Finding[]> {
    const name = old?.name ?? next?.name ?? '';
    this.asked.push(`diff ${name}: ${old?.sdl} → ${next?.sdl}`);
    const change = this.changes.get(name);
    return change === undefined ? [] : [change];
  }

  async composeContracts(contracts: ReadonlyMap<string, SubgraphContract>): Promise<ComposedContracts> {
    this.asked.push(`compose ${describe(contracts)}`);
    if ([...contracts.values()].some(({ sdl }) => sdl.includes(this.uncomposable))) {
      const finding: Finding = { rule: 'composition-error', severity: 'breaking', message: 'No.' };
      return { findings: [finding] };
    }
    return { sdl: describe(contracts), hints: [] };
  }

  async loadGraph(contracts: ReadonlyMap<string, SubgraphContract>, composed: ComposedContracts) {
    if ('findings' in composed) return composed;
    this.openPlanners += 1;
    const close = async () => {
      this.openPlanners -= 1;
    };
    return { graph: { contracts, supergraph: { planner: { close } } } as unknown as ContractGraph };
  }

  async bootGraph({ contracts }: ContractGraph): Promise<readonly Finding[]> {
    this.asked.push(`boot ${describe(contracts)}`);
    return this.booted;
  }

  async planConsumers(...[graph, operations, { onProgress }]: Parameters<CheckParts['planConsumers']>) {
    this.asked.push(`plan ${operations.map(({ name }) => name)} for ${describe(graph.contracts)}`);
    onProgress?.(operations.length, operations.length, 'planning');
    return new Map();
  }

  judgeUncomposed({ changes, refusals }: Parameters<CheckParts['judgeUncomposed']>[0]) {
    return [...changes, ...refusals];
  }

  judgeChange({ changes, old, gateway, next, operations }: Parameters<CheckParts['judgeChange']>[0]) {
    const [before, running, after] = [old, gateway, next].map(describeGraph);
    const names = operations.map(({ name }) => name);
    const held = running === before ? '' : ` with gateways of ${running}`;
    this.asked.push(`judge ${changes.length} changes, ${names}: ${before}${held} → ${after}`);
    return [...changes, ...this.judged];
  }
}

function describeGraph(planned: PlannedGraph | undefined): string {
  return planned === undefined ? 'nothing' : describe(planned.graph.contracts);
}

function describe(contracts: ReadonlyMap<string, SubgraphContract>): string {
  return `(${[...contracts.values()].map(({ name, sdl }) => `${name} ${sdl}`).join(', ')})`;
}
