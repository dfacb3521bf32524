import { GraphQLError } from 'graphql';
import { SupergraphRefusedError } from '../../gateway/supergraph/supergraphRefusedError.ts';
import type { ConsumerOperation, ContractStore, Contracts, SubgraphContract } from '../contractStore.ts';
import { canonicalizeSdl } from '../diff/canonicalizeSdl.ts';
import { diffSubgraph } from '../diff/diffSubgraph.ts';
import { evaluateChange } from '../evaluation/evaluateChange.ts';
import { evaluateUncomposableChange } from '../evaluation/evaluateUncomposableChange.ts';
import type { Finding } from '../finding.ts';
import { type ContractGraph, composeGraph, type SupergraphTools } from '../graph/composeGraph.ts';
import { type PlannedGraph, planConsumerOperations } from '../graph/planConsumerOperations.ts';
import { ruleOf } from '../rules.ts';
import { schemaProblems } from '../store/baseline.ts';
import { withoutCredentials } from '../store/readCandidates.ts';
import {
  contractDriftFinding,
  escalateDeployedChange,
  missingAddressFinding,
  missingContractFinding,
  supergraphDriftFinding,
  unreachableFindings,
  unusableSupergraphFinding,
} from './driftFindings.ts';
import type { LiveSubgraph } from './fetchLiveSubgraphs.ts';
import { diffSubgraphStatements, readSubgraphStatements } from './subgraphStatements.ts';

/** How the running subgraphs differ from their contracts, and what that breaks. */
export interface Drift {
  readonly subgraphs: readonly SubgraphDrift[];
  /** Without waivers applied. */
  readonly findings: readonly Finding[];
}

export interface SubgraphDrift {
  readonly name: string;
  /** `drifted`: the subgraph serves another schema than its contract. `unknown`: it gave no schema, or its address is
   *  not known. `not agreed on`: it has no contract. */
  readonly state: 'as agreed' | 'drifted' | 'unknown' | 'not agreed on';
  /** Operations of the store that the drift breaks, as `consumer/Operation`. */
  readonly breaks: readonly string[];
}

interface DriftInput {
  readonly store: ContractStore;
  readonly live: readonly LiveSubgraph[];
  /** The supergraph of the running gateways. Omitted: what the contracts compose to. */
  readonly supergraphSdl?: string | undefined;
  /** The subgraphs that are compared; the others are assumed to serve their contracts. Omitted: all. */
  readonly only?: ReadonlySet<string> | undefined;
  readonly onProgress?: ((message: string) => void) | undefined;
}

/** Compares the running subgraphs with their contracts, and with what the running supergraph says about them. Order,
 *  layout and descriptions do not count. Differences are rated as changes that are already deployed: the plans of the
 *  running supergraph are checked against the subgraphs as they are, and operations against the supergraph that these
 *  compose to.
 *  A supergraph does not contain its subgraphs' SDL. Therefore the running supergraph is compared with the one that
 *  the running subgraphs compose to, by the join directives of both. Composing a small graph blocks the thread. */
export async function findDrift(input: DriftInput, tools: SupergraphTools): Promise<Drift> {
  const { store, live, supergraphSdl, only } = input;
  const states = new Map(live.map((subgraph) => [subgraph.name, stateOf(subgraph, store)] as const));
  const missing = [...store.schemas.values()].filter(
    ({ name }) => !states.has(name) && (only === undefined || only.has(name)),
  );
  for (const { name } of missing) states.set(name, 'unknown');
  const reported: Finding[] = [
    ...live.flatMap((subgraph) => ('unreachable' in subgraph ? unreachableFindings(subgraph) : [])),
    ...missing.map(missingAddressFinding),
  ];
  const next = liveContractsOf(store, live, states);
  const changes = await diffAll(store.schemas, next);
  for (const [name, state] of states) {
    const [contract, running] = [store.schemas.get(name), next.get(name)];
    if (state === 'drifted' && contract !== undefined && running !== undefined) {
      const ownChanges = changes.filter(({ subgraph }) => subgraph === name);
      reported.push(contractDriftFinding(contract, running, ownChanges));
    }
    if (state === 'not agreed on' && running !== undefined)
      reported.push(missingContractFinding(running, store.directory));
  }
  const hasDrifted = [...states.values()].some((state) => state === 'drifted' || state === 'not agreed on');
  const isWhole = schemaProblems(store).length === 0 && store.schemas.size > 0;
  const classified =
    isWhole && (hasDrifted || supergraphSdl !== undefined)
      ? await evaluateDrift(input, changes, next, tools)
      : changes;
  const findings = [...reported, ...classified.map(escalateDeployedChange)];
  return {
    subgraphs: Array.from(states, ([name, state]) => ({
      name,
      state,
      breaks: brokenOperationsOf(name, findings),
    })),
    findings,
  };
}

function stateOf(live: LiveSubgraph, { schemas }: ContractStore): SubgraphDrift['state'] {
  if ('unreachable' in live) return 'unknown';
  const contract = schemas.get(live.name);
  if (contract === undefined) return 'not agreed on';
  return isSameSchema(contract.sdl, live.sdl) ? 'as agreed' : 'drifted';
}

function isSameSchema(agreed: string, live: string): boolean {
  try {
    return agreed === live || canonicalizeSdl(agreed) === canonicalizeSdl(live);
  } catch (error) {
    if (!(error instanceof GraphQLError)) throw error;
    return false;
  }
}

/** The contracts, with the running schema in place of each contract that differs. A subgraph that gave no schema is
 *  assumed to serve its contract. */
function liveContractsOf(
  { schemas }: ContractStore,
  live: readonly LiveSubgraph[],
  states: ReadonlyMap<string, SubgraphDrift['state']>,
): Contracts {
  const running = new Map(schemas);
  for (const subgraph of live) {
    const state = states.get(subgraph.name);
    if ('unreachable' in subgraph || state === 'as agreed') continue;
    const { name, url, sdl } = subgraph;
    running.set(name, { name, url: schemas.get(name)?.url ?? url, file: withoutCredentials(url), sdl });
  }
  return running;
}

async function diffAll(agreed: Contracts, running: Contracts): Promise<readonly Finding[]> {
  const changes: Finding[] = [];
  for (const [name, contract] of agreed) {
    if (running.get(name) === contract) continue;
    for (const change of await diffSubgraph(contract, running.get(name))) {
      // A running schema that cannot be used is not a mistake in the store.
      changes.push(change.severity === 'misuse' ? { ...change, severity: 'breaking' } : change);
    }
  }
  return changes;
}

async function evaluateDrift(
  { store, supergraphSdl, only, onProgress = () => {} }: DriftInput,
  changes: readonly Finding[],
  next: Contracts,
  tools: SupergraphTools,
): Promise<readonly Finding[]> {
  const { operations, schemas } = store;
  let statements: ReturnType<typeof readSubgraphStatements> | undefined;
  try {
    if (supergraphSdl !== undefined) statements = readSubgraphStatements(supergraphSdl);
  } catch (error) {
    if (!(error instanceof GraphQLError)) throw error;
    return [...changes, unusableSupergraphFinding(error.message)];
  }
  onProgress(`composing ${next.size} running subgraphs`);
  const composed = await composeGraph(next, tools);
  const differences =
    statements === undefined || 'findings' in composed
      ? new Map<string, readonly string[]>()
      : diffSubgraphStatements(statements, readSubgraphStatements(composed.graph.sdl));
  const outdated = new Map([...differences].filter(([name]) => only === undefined || only.has(name)));
  const reported = Array.from(outdated, ([name, coordinates]) => supergraphDriftFinding(name, coordinates));
  if ('graph' in composed && changes.length === 0 && reported.length === 0) {
    await composed.graph.supergraph.planner.close();
    return [];
  }
  onProgress('planning operations for what runs');
  const running = 'graph' in composed ? await planAll(composed.graph, operations) : undefined;
  const [old, gateway] = await Promise.all([
    planContracts(schemas, operations, tools),
    supergraphSdl === undefined
      ? undefined
      : planSupergraph(supergraphSdl, markOutdated(schemas, outdated), operations, tools),
  ]);
  if (gateway !== undefined && 'findings' in gateway) return [...reported, ...changes, ...gateway.findings];
  const classified =
    running === undefined && 'findings' in composed
      ? evaluateUncomposableChange({
          changes,
          gateway: gateway ?? old,
          next,
          compositionFindings: composed.findings,
          operations,
        })
      : evaluateChange({
          changes,
          old,
          gateway: gateway ?? old,
          next: running as PlannedGraph,
          operations,
          isRollout: true,
        });
  // Terms that the contracts themselves violate are reported by a check, not as drift.
  return [
    ...reported,
    ...classified.filter(
      ({ rule, severity }) => ruleOf(rule).isContractTerm !== true || severity === 'breaking',
    ),
  ];
}

/** Marks contracts of subgraphs for which the running supergraph has another version, so that its plans are not taken
 *  for plans of the contract. */
function markOutdated(contracts: Contracts, outdated: ReadonlyMap<string, unknown>): Contracts {
  return new Map(
    Array.from(contracts, ([name, contract]): [string, SubgraphContract] => [
      name,
      outdated.has(name)
        ? { ...contract, sdl: `${contract.sdl}\n# The running supergraph has another version.\n` }
        : contract,
    ]),
  );
}

async function planContracts(
  contracts: Contracts,
  operations: readonly ConsumerOperation[],
  tools: SupergraphTools,
): Promise<PlannedGraph | undefined> {
  const composed = await composeGraph(contracts, tools);
  return 'graph' in composed ? planAll(composed.graph, operations) : undefined;
}

async function planSupergraph(
  sdl: string,
  contracts: Contracts,
  operations: readonly ConsumerOperation[],
  { load }: SupergraphTools,
): Promise<PlannedGraph | { readonly findings: readonly Finding[] }> {
  try {
    const supergraph = await load(sdl);
    return await planAll({ contracts, sdl, hints: [], supergraph }, operations);
  } catch (error) {
    if (!(error instanceof SupergraphRefusedError)) throw error;
    return { findings: [unusableSupergraphFinding(error.message)] };
  }
}

async function planAll(
  graph: ContractGraph,
  operations: readonly ConsumerOperation[],
): Promise<PlannedGraph> {
  try {
    return { graph, plans: await planConsumerOperations(graph, operations) };
  } finally {
    await graph.supergraph.planner.close();
  }
}

function brokenOperationsOf(name: string, findings: readonly Finding[]): readonly string[] {
  const broken = findings.filter(({ subgraph, severity }) => subgraph === name && severity === 'breaking');
  const operations = broken.flatMap(({ affects = [] }) =>
    affects.map(({ consumer, operation }) => `${consumer}/${operation}`),
  );
  return [...new Set(operations)].sort();
}
