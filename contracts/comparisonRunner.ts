import { isDeepStrictEqual } from 'node:util';
import type { CheckSteps } from './checkSteps.ts';
import type { ConsumerOperation, Contracts } from './contractStore.ts';
import { createFinding, type Finding } from './finding.ts';
import type { GatewaySettings } from './gatewaySettings.ts';
import type { PlannedGraph } from './graph/planConsumerOperations.ts';
import { GraphFactory } from './graphFactory.ts';
import type { Comparison } from './store/readComparisons.ts';

interface ComparisonRunnerOptions {
  readonly steps: CheckSteps;
  readonly operations: readonly ConsumerOperation[];
  readonly gatewaySettings: GatewaySettings;
  /** See `GraphChange`. */
  readonly isRollout: boolean;
  /** Subgraphs whose contract exists but cannot be read. */
  readonly unreadable: ReadonlySet<string>;
  readonly onProgress: (message: string) => void;
}

/** Runs comparisons one after the other and collects their findings. */
export class ComparisonRunner {
  readonly #findings = new Map<string, FoundFinding>();
  readonly #baselines = new Set<string>();
  readonly #changed = new Set<string>();
  readonly #options: ComparisonRunnerOptions;
  readonly #graphFactory: GraphFactory;
  #isComplete = true;

  constructor(options: ComparisonRunnerOptions) {
    this.#options = options;
    this.#graphFactory = new GraphFactory(options);
  }

  /** Without duplicates, although several comparisons report the same finding. When they report different findings about
   *  one change, such as two rollout orders, the messages say which versions each is about. */
  get findings(): readonly Finding[] {
    const found = [...this.#findings.values()];
    const byChange = Map.groupBy(found, ({ finding }) => changeKeyOf(finding));
    return found.map(({ finding, baselines }) => {
      const isOnlyOne = byChange.get(changeKeyOf(finding))?.length === 1;
      if (isOnlyOne || !isAboutChange(finding) || baselines.size === this.#baselines.size) return finding;
      return { ...finding, message: `${finding.message} (compared with ${[...baselines].join(', ')})` };
    });
  }

  /** False when a problem hides other findings. */
  get isComplete(): boolean {
    return this.#isComplete;
  }

  /** Number of subgraphs that differ from a baseline. */
  get changedCount(): number {
    return this.#changed.size;
  }

  hasChanged(subgraph: string): boolean {
    return this.#changed.has(subgraph);
  }

  async compare({
    baseline,
    old,
    unreadable: unreadableBefore = noSubgraphs,
    next,
    gateway = old,
  }: Comparison): Promise<void> {
    const { steps, operations, gatewaySettings, isRollout, unreadable, onProgress } = this.#options;
    // The store's problems already explain why there is nothing to check.
    if (next.size === 0) return this.#markIncomplete([], baseline);
    onProgress(`comparing with ${baseline}`);
    this.#baselines.add(baseline);
    // A graph that lacks one of its subgraphs would be full of false findings.
    const [oldContracts, gatewayContracts] = unreadableBefore.size > 0 ? [] : [old, gateway];
    // Large graphs are composed in other threads while this thread computes the diff.
    if (unreadable.size === 0) {
      this.#graphFactory.startComposition(next, candidateName);
      this.#graphFactory.startComposition(oldContracts ?? new Map(), baseline);
    }
    const changes = old === undefined ? [] : await this.#diff(old, next, unreadableBefore);
    if (unreadable.size > 0) return this.#markIncomplete(changes, baseline);
    const candidate = await this.#graphFactory.build(next, candidateName);
    if ('findings' in candidate) {
      const { findings: compositionFindings } = candidate;
      const earlier = isRollout ? await this.#findRefusals(oldContracts, baseline) : undefined;
      const gatewayGraph = await this.#buildBaseline(gatewayContracts, baseline);
      return this.#markIncomplete(
        await steps.evaluateUncomposableChange({
          changes,
          gateway: gatewayGraph,
          next,
          compositionFindings,
          earlierCompositionFindings: earlier,
          operations,
        }),
        baseline,
      );
    }
    this.#addFindings(await this.#graphFactory.bootGateway(candidate), baseline);
    const oldGraph = await this.#buildBaseline(oldContracts, baseline);
    const gatewayGraph =
      gatewayContracts === oldContracts ? oldGraph : await this.#buildBaseline(gatewayContracts, baseline);
    onProgress('rating the changes');
    this.#addFindings(
      await steps.evaluateChange({
        changes,
        old: oldGraph,
        running: gatewayContracts === oldContracts ? undefined : oldContracts,
        gateway: gatewayGraph,
        next: candidate,
        operations,
        gatewaySettings,
        isRollout,
      }),
      baseline,
    );
  }

  async #diff(old: Contracts, next: Contracts, unreadableBefore: ReadonlySet<string>): Promise<Finding[]> {
    const { steps, unreadable } = this.#options;
    const changes: Finding[] = [];
    for (const name of new Set([...old.keys(), ...next.keys()])) {
      if (unreadableBefore.has(name)) this.#changed.add(name);
      if (unreadable.has(name) || unreadableBefore.has(name) || old.get(name)?.sdl === next.get(name)?.sdl)
        continue;
      this.#changed.add(name);
      changes.push(...(await steps.diffSubgraph(old.get(name), next.get(name))));
    }
    return changes;
  }

  async #buildBaseline(
    contracts: Contracts | undefined,
    baseline: string,
  ): Promise<PlannedGraph | undefined> {
    if (contracts === undefined || contracts.size === 0) return undefined;
    const built = await this.#graphFactory.build(contracts, baseline);
    if (!('findings' in built)) return built;
    this.#addFindings([baselineNotComposed(baseline)], baseline);
    return undefined;
  }

  /** Why contracts do not compose; `undefined` when they do. */
  async #findRefusals(
    contracts: Contracts | undefined,
    baseline: string,
  ): Promise<readonly Finding[] | undefined> {
    if (contracts === undefined || contracts.size === 0) return undefined;
    const built = await this.#graphFactory.build(contracts, baseline);
    return 'findings' in built ? built.findings : undefined;
  }

  #markIncomplete(findings: readonly Finding[], baseline: string): void {
    this.#isComplete = false;
    this.#addFindings(findings, baseline);
  }

  #addFindings(findings: readonly Finding[], baseline: string): void {
    for (const finding of findings) {
      const { earlierProblems, ...reported } = finding;
      const key = JSON.stringify(reported);
      const found = this.#findings.get(key) ?? { finding, baselines: new Set() };
      found.baselines.add(baseline);
      // A waiver of an earlier change covers an operation only if it failed before in every comparison.
      if (!isDeepStrictEqual(found.finding.earlierProblems, earlierProblems)) found.finding = reported;
      this.#findings.set(key, found);
    }
  }
}

interface FoundFinding {
  finding: Finding;
  /** The baselines of the comparisons that report the finding. */
  readonly baselines: Set<string>;
}

/** False for a finding about a whole graph, whose message names its version. */
function isAboutChange({ subgraph, coordinate }: Finding): boolean {
  return subgraph !== undefined || coordinate !== undefined;
}

function changeKeyOf({ rule, subgraph, coordinate }: Finding): string {
  return JSON.stringify([rule, subgraph, coordinate]);
}

const candidateName = 'the candidate';

const noSubgraphs: ReadonlySet<string> = new Set();

function baselineNotComposed(baseline: string): Finding {
  return createFinding('baseline-not-composed', {
    message: `The contracts of ${baseline} do not compose: no gateway runs on them, and there are no plans that could break.`,
  });
}
