import { LRUCache } from 'lru-cache';
import type { DeliveryMode, EnrichmentRule } from '../operation/enrichmentRule.ts';
import { type AdaptationThresholds, DeliveryModeSelector } from './deliveryModeSelector.ts';
import { LatencySketch } from './latencySketch.ts';

export interface AdaptiveDeliveryOptions extends AdaptationThresholds {
  /** With `always`, latencies are only observed. With `never` nobody asks. */
  readonly mode: 'adaptive' | 'always' | 'never';
  /** Of rules that say nothing else, in milliseconds. */
  readonly defaultBudgetMs: number;
  /** In milliseconds; only differences count. */
  readonly now: () => number;
}

/** What is known of a field. Latencies are in milliseconds, `null` where the one in question was given up. */
interface FieldDelivery {
  readonly coordinate: string;
  /** The field's own. */
  readonly budgetMs: number;
  /** For that budget. */
  readonly deliveryMode: DeliveryMode;
  /** How many latencies count now. */
  readonly samples: number;
  /** From 0 to 1. */
  readonly shareWithinBudget: number;
  readonly p50Ms: number | null;
  readonly p95Ms: number | null;
}

/** Coordinates come from supergraphs, those of earlier ones included. */
const maxFields = 1_000;
/** Clients may choose budgets. */
const maxBudgets = 16;

interface TrackedField {
  /** As it was seen last: another supergraph may have another. */
  rule: EnrichmentRule;
  readonly sketch: LatencySketch;
  readonly selectors: LRUCache<number, DeliveryModeSelector>;
}

/** Learns how long fields take, and decides for each how first answers deal with it. */
export class AdaptiveDelivery {
  readonly #options: AdaptiveDeliveryOptions;
  readonly #fields = new LRUCache<string, TrackedField>({ max: maxFields });

  constructor(options: AdaptiveDeliveryOptions) {
    this.#options = options;
  }

  /** `budgetMs`: of the request. */
  deliveryModeOf(rule: EnrichmentRule, budgetMs: number): DeliveryMode {
    if (this.#options.mode !== 'adaptive') return 'budget';
    const field = this.#fields.get(rule.coordinate);
    if (field === undefined) return 'budget';
    field.rule = rule;
    return this.#deliveryModeOf(field, budgetMs);
  }

  /** `latencyMs`: from the request's start until the field was ready; `Infinity` for one that was given up. */
  recordLatency(rule: EnrichmentRule, latencyMs: number): void {
    let field = this.#fields.get(rule.coordinate);
    if (field === undefined) {
      const { window: windowMs, now } = this.#options;
      field = {
        rule,
        sketch: new LatencySketch({ windowMs, now }),
        selectors: new LRUCache({ max: maxBudgets }),
      };
      this.#fields.set(rule.coordinate, field);
    }
    field.rule = rule;
    field.sketch.observe(latencyMs);
    for (const [budgetMs, way] of field.selectors.entries()) if (latencyMs <= budgetMs) way.recordInTime();
  }

  /** A budget is over, and the field is not there. Its latency is observed all the same, once it is known: this is for
   *  not having to wait for it. */
  recordOverdue({ coordinate }: EnrichmentRule, overMs: number): void {
    const ways = this.#fields.get(coordinate)?.selectors.entries() ?? [];
    for (const [budgetMs, way] of ways) if (budgetMs <= overMs) way.recordOverdue(this.#options.now());
  }

  /** The fields of which something is known now, by their coordinates. */
  snapshot(): readonly FieldDelivery[] {
    const known = [...this.#fields.values()].flatMap((field) => this.#describe(field) ?? []);
    return known.sort((one, other) => (one.coordinate < other.coordinate ? -1 : 1));
  }

  #describe(field: TrackedField): FieldDelivery | undefined {
    const { rule, sketch } = field;
    const budgetMs = rule.budgetMs ?? this.#options.defaultBudgetMs;
    const shareWithinBudget = sketch.shareWithin(budgetMs);
    if (shareWithinBudget === undefined) return undefined;
    return {
      coordinate: rule.coordinate,
      budgetMs,
      deliveryMode: this.#options.mode === 'adaptive' ? this.#deliveryModeOf(field, budgetMs) : 'budget',
      samples: sketch.count,
      shareWithinBudget,
      p50Ms: finiteOrNull(sketch.quantile(0.5)),
      p95Ms: finiteOrNull(sketch.quantile(0.95)),
    };
  }

  #deliveryModeOf({ sketch, selectors }: TrackedField, budgetMs: number): DeliveryMode {
    let way = selectors.get(budgetMs);
    if (way === undefined) {
      way = new DeliveryModeSelector(this.#options, budgetMs);
      selectors.set(budgetMs, way);
    }
    return way.select(sketch, this.#options.now());
  }
}

function finiteOrNull(latencyMs: number | undefined): number | null {
  return latencyMs === undefined || latencyMs === Number.POSITIVE_INFINITY ? null : latencyMs;
}
