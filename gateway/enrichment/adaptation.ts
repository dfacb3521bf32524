import { LRUCache } from 'lru-cache';
import { type AdaptationLimits, AdaptedWay } from './adaptedWay.ts';
import type { EnrichmentRule, EnrichmentWay } from './enrichmentRule.ts';
import { LatencySketch } from './latencySketch.ts';

export interface AdaptationOptions extends AdaptationLimits {
  /** With `always`, latencies are only observed. With `never` nobody asks. */
  readonly mode: 'adaptive' | 'always' | 'never';
  /** Of rules that say nothing else, in milliseconds. */
  readonly defaultBudgetMs: number;
  /** In milliseconds; only differences count. */
  readonly now: () => number;
}

/** What is known of a field. Latencies are in milliseconds, `null` where the one in question was given up. */
export interface AdaptedField {
  readonly coordinate: string;
  /** The field's own. */
  readonly budgetMs: number;
  /** For that budget. */
  readonly way: EnrichmentWay;
  /** How many latencies count now. */
  readonly samples: number;
  /** From 0 to 1. */
  readonly shareWithinBudget: number;
  readonly p50Ms: number | null;
  readonly p95Ms: number | null;
}

/** Coordinates come from supergraphs, those of earlier ones included. */
const mostFields = 1_000;
/** Clients may choose budgets. */
const mostBudgets = 16;

interface Field {
  /** As it was seen last: another supergraph may have another. */
  rule: EnrichmentRule;
  readonly sketch: LatencySketch;
  readonly ways: LRUCache<number, AdaptedWay>;
}

/** Learns how long fields take, and decides for each how first answers deal with it. */
export class Adaptation {
  readonly #options: AdaptationOptions;
  readonly #fields = new LRUCache<string, Field>({ max: mostFields });

  constructor(options: AdaptationOptions) {
    this.#options = options;
  }

  /** `budgetMs`: of the request. */
  wayOf(rule: EnrichmentRule, budgetMs: number): EnrichmentWay {
    if (this.#options.mode !== 'adaptive') return 'budget';
    const field = this.#fields.get(rule.coordinate);
    if (field === undefined) return 'budget';
    field.rule = rule;
    return this.#wayOf(field, budgetMs);
  }

  /** `latencyMs`: from the request's start until the field was ready; `Infinity` for one that was given up. */
  observe(rule: EnrichmentRule, latencyMs: number): void {
    let field = this.#fields.get(rule.coordinate);
    if (field === undefined) {
      const { window: windowMs, now } = this.#options;
      field = {
        rule,
        sketch: new LatencySketch({ windowMs, now }),
        ways: new LRUCache({ max: mostBudgets }),
      };
      this.#fields.set(rule.coordinate, field);
    }
    field.rule = rule;
    field.sketch.observe(latencyMs);
    for (const [budgetMs, way] of field.ways.entries()) if (latencyMs <= budgetMs) way.noteInTime();
  }

  /** A budget is over, and the field is not there. Its latency is observed all the same, once it is known: this is for
   *  not having to wait for it. */
  noteOverdue({ coordinate }: EnrichmentRule, overMs: number): void {
    const ways = this.#fields.get(coordinate)?.ways.entries() ?? [];
    for (const [budgetMs, way] of ways) if (budgetMs <= overMs) way.noteOverdue(this.#options.now());
  }

  /** The fields of which something is known now, by their coordinates. */
  snapshot(): readonly AdaptedField[] {
    const known = [...this.#fields.values()].flatMap((field) => this.#describe(field) ?? []);
    return known.sort((one, other) => (one.coordinate < other.coordinate ? -1 : 1));
  }

  #describe(field: Field): AdaptedField | undefined {
    const { rule, sketch } = field;
    const budgetMs = rule.budgetMs ?? this.#options.defaultBudgetMs;
    const shareWithinBudget = sketch.shareWithin(budgetMs);
    if (shareWithinBudget === undefined) return undefined;
    return {
      coordinate: rule.coordinate,
      budgetMs,
      way: this.#options.mode === 'adaptive' ? this.#wayOf(field, budgetMs) : 'budget',
      samples: sketch.count,
      shareWithinBudget,
      p50Ms: finite(sketch.quantile(0.5)),
      p95Ms: finite(sketch.quantile(0.95)),
    };
  }

  #wayOf({ sketch, ways }: Field, budgetMs: number): EnrichmentWay {
    let way = ways.get(budgetMs);
    if (way === undefined) {
      way = new AdaptedWay(this.#options, budgetMs);
      ways.set(budgetMs, way);
    }
    return way.decide(sketch, this.#options.now());
  }
}

function finite(latencyMs: number | undefined): number | null {
  return latencyMs === undefined || latencyMs === Number.POSITIVE_INFINITY ? null : latencyMs;
}
