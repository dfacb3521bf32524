/** The share of one subgraph in answers. */
interface SubgraphShare {
  /** Answers whose plan has a fetch from it. */
  answers: number;
  /** Answers with errors of its fetches. */
  failures: number;
  /** Recorded answers whose first payload waited for it. */
  gated: number;
  /** How long they waited for it together, in milliseconds. */
  gatedSumMs: number;
}

/** Shares as JSON. */
export interface SubgraphSharesData {
  readonly recorded: number;
  readonly bySubgraph: Readonly<Record<string, SubgraphShare>>;
}

/** The shares of all subgraphs in the same answers. */
export class SubgraphShares {
  /** Answers that were recorded step by step. */
  recorded = 0;
  readonly #bySubgraph = new Map<string, SubgraphShare>();

  static from({ recorded, bySubgraph }: SubgraphSharesData): SubgraphShares {
    const shares = new SubgraphShares();
    shares.recorded = recorded;
    for (const [subgraph, share] of Object.entries(bySubgraph)) shares.#bySubgraph.set(subgraph, share);
    return shares;
  }

  toJSON(): SubgraphSharesData {
    return { recorded: this.recorded, bySubgraph: Object.fromEntries(this.#bySubgraph) };
  }

  of(subgraph: string): SubgraphShare {
    let share = this.#bySubgraph.get(subgraph);
    if (share === undefined) {
      share = { answers: 0, failures: 0, gated: 0, gatedSumMs: 0 };
      this.#bySubgraph.set(subgraph, share);
    }
    return share;
  }

  merge(other: SubgraphShares): void {
    this.recorded += other.recorded;
    for (const [subgraph, { answers, failures, gated, gatedSumMs }] of other.#bySubgraph) {
      const share = this.of(subgraph);
      share.answers += answers;
      share.failures += failures;
      share.gated += gated;
      share.gatedSumMs += gatedSumMs;
    }
  }
}

/** From 0 to 1, to a tenth of a percent. */
export function shareOf(part: number, whole: number): number {
  return whole === 0 ? 0 : Math.round((part / whole) * 1_000) / 1_000;
}
