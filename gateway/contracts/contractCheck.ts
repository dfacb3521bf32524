import type { ConsumerOperation } from './contractStore.ts';
import type { Finding } from './finding.ts';
import type { PlannedGraph } from './graph/planConsumers.ts';
import { GraphWorkshop } from './graphWorkshop.ts';
import type { CheckParts } from './parts.ts';
import type { Serving } from './serving.ts';
import type { Comparison, Contracts } from './store/comparison.ts';

export interface ContractCheckOptions {
  readonly parts: CheckParts;
  readonly operations: readonly ConsumerOperation[];
  readonly serving: Serving;
  /** As for `GraphChange`. */
  readonly isRollout: boolean;
  /** Subgraphs whose contract is there and cannot be read. */
  readonly unreadable: ReadonlySet<string>;
  readonly onProgress: (message: string) => void;
}

/** Comparisons, one after the other, and what they find together. */
export class ContractCheck {
  readonly #findings = new Map<string, Finding>();
  readonly #changed = new Set<string>();
  readonly #options: ContractCheckOptions;
  readonly #graphs: GraphWorkshop;
  #isWhole = true;

  constructor(options: ContractCheckOptions) {
    this.#options = options;
    this.#graphs = new GraphWorkshop(options);
  }

  /** Each once, though several comparisons find it. */
  get findings(): readonly Finding[] {
    return [...this.#findings.values()];
  }

  /** False where something hides what else there may be to find. */
  get isWhole(): boolean {
    return this.#isWhole;
  }

  /** Any, where no subgraph is named. */
  hasChanged(subgraph: string | undefined): boolean {
    return subgraph === undefined ? this.#changed.size > 0 : this.#changed.has(subgraph);
  }

  async compare({ baseline, old, lost = none, next, gateway = old }: Comparison): Promise<void> {
    const { parts, operations, serving, isRollout, unreadable, onProgress } = this.#options;
    // Why there is nothing to check has been told.
    if (next.size === 0) return this.#stop([]);
    onProgress(`comparing with ${baseline}`);
    // A graph without one of its subgraphs would be full of mistakes that nobody made.
    const [earlier, held] = lost.size > 0 ? [] : [old, gateway];
    // In other threads, while this one looks for what is different.
    if (unreadable.size === 0) {
      this.#graphs.prepare(next, candidateName);
      this.#graphs.prepare(earlier ?? new Map(), baseline);
    }
    const changes = old === undefined ? [] : await this.#diff(old, next, lost);
    if (unreadable.size > 0) return this.#stop(changes);
    const candidate = await this.#graphs.build(next, candidateName);
    if ('findings' in candidate) {
      const { findings: refusals } = candidate;
      const running = await this.#buildEarlier(held, baseline);
      return this.#stop(
        await parts.judgeUncomposed({ changes, gateway: running, next, refusals, operations }),
      );
    }
    this.#add(await this.#graphs.boot(candidate));
    const before = await this.#buildEarlier(earlier, baseline);
    const running = held === earlier ? before : await this.#buildEarlier(held, baseline);
    onProgress('judging what the changes mean');
    this.#add(
      await parts.judgeChange({
        changes,
        old: before,
        gateway: running,
        next: candidate,
        operations,
        serving,
        isRollout,
      }),
    );
  }

  async #diff(old: Contracts, next: Contracts, lost: ReadonlySet<string>): Promise<Finding[]> {
    const { parts, unreadable } = this.#options;
    const changes: Finding[] = [];
    for (const name of new Set([...old.keys(), ...next.keys()])) {
      if (lost.has(name)) this.#changed.add(name);
      if (unreadable.has(name) || lost.has(name) || old.get(name)?.sdl === next.get(name)?.sdl) continue;
      this.#changed.add(name);
      changes.push(...(await parts.diffSubgraph(old.get(name), next.get(name))));
    }
    return changes;
  }

  async #buildEarlier(contracts: Contracts | undefined, baseline: string): Promise<PlannedGraph | undefined> {
    if (contracts === undefined || contracts.size === 0) return undefined;
    const built = await this.#graphs.build(contracts, baseline);
    if (!('findings' in built)) return built;
    this.#add([neverRan(baseline)]);
    return undefined;
  }

  #stop(findings: readonly Finding[]): void {
    this.#isWhole = false;
    this.#add(findings);
  }

  #add(findings: readonly Finding[]): void {
    for (const finding of findings) this.#findings.set(JSON.stringify(finding), finding);
  }
}

const candidateName = 'the candidate';

const none: ReadonlySet<string> = new Set();

function neverRan(baseline: string): Finding {
  return {
    rule: 'baseline-not-composed',
    severity: 'safe',
    message: `The contracts of ${baseline} make no supergraph: no gateway runs on them, and there are no plans that could break.`,
    advice:
      'To see what breaks in what runs, compare with it: --against an earlier revision, or --environment.',
  };
}
