import { LRUCache } from 'lru-cache';
import type { DeliveryMode, EnrichmentRule } from '../operation/enrichmentRule.ts';
import { type AdaptationThresholds, DeliveryModeSelector } from './deliveryModeSelector.ts';
import { LatencySketch } from './latencySketch.ts';

export interface AdaptiveDeliveryOptions extends AdaptationThresholds {
  /** `always` only records latencies. With `never`, this class is not used. */
  readonly mode: 'adaptive' | 'always' | 'never';
  /** Budget of rules that have none, in milliseconds. */
  readonly defaultBudgetMs: number;
  /** A monotonic clock, in milliseconds. */
  readonly now: () => number;
}

/** Statistics of a field. Latencies are in milliseconds, `null` where that quantile was abandoned. */
interface FieldDelivery {
  readonly coordinate: string;
  readonly budgetMs: number;
  readonly deliveryMode: DeliveryMode;
  readonly samples: number;
  /** From 0 to 1. */
  readonly shareWithinBudget: number;
  readonly p50Ms: number | null;
  readonly p95Ms: number | null;
}

/** Coordinates of all supergraphs that were loaded, the earlier ones included. */
const maxFields = 1_000;
/** Clients can choose budgets. */
const maxBudgets = 16;

interface TrackedField {
  /** The rule that was seen last: supergraphs may have different ones. */
  rule: EnrichmentRule;
  readonly sketch: LatencySketch;
  /** By budget in milliseconds. */
  readonly selectors: LRUCache<number, DeliveryModeSelector>;
}

/** Records the latencies of fields, and selects the delivery mode of each field. */
export class AdaptiveDelivery {
  readonly #options: AdaptiveDeliveryOptions;
  readonly #fields = new LRUCache<string, TrackedField>({ max: maxFields });

  constructor(options: AdaptiveDeliveryOptions) {
    this.#options = options;
  }

  /** `budgetMs`: the budget that the field has in this request. */
  deliveryModeOf(rule: EnrichmentRule, budgetMs: number): DeliveryMode {
    if (this.#options.mode !== 'adaptive') return 'budgeted';
    const field = this.#fields.get(rule.coordinate);
    if (field === undefined) return 'budgeted';
    field.rule = rule;
    return this.#deliveryModeOf(field, budgetMs);
  }

  /** `latencyMs`: from the start of the request until the field was ready; `Infinity` if it was abandoned. */
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
    for (const [budgetMs, selector] of field.selectors.entries()) {
      if (latencyMs <= budgetMs) selector.recordInTime();
    }
  }

  /** The field is not ready at the end of a budget of `overdueMs`. Its latency is recorded as well, when it is known:
   *  this call lets selectors react earlier. */
  recordOverdue({ coordinate }: EnrichmentRule, overdueMs: number): void {
    const selectors = this.#fields.get(coordinate)?.selectors.entries() ?? [];
    for (const [budgetMs, selector] of selectors) {
      if (budgetMs <= overdueMs) selector.recordOverdue(this.#options.now());
    }
  }

  /** The fields that have latencies in the window, sorted by coordinate. */
  snapshot(): readonly FieldDelivery[] {
    const described = [...this.#fields.values()].flatMap((field) => this.#describe(field) ?? []);
    return described.sort((a, b) => (a.coordinate < b.coordinate ? -1 : 1));
  }

  #describe(field: TrackedField): FieldDelivery | undefined {
    const { rule, sketch } = field;
    const budgetMs = rule.budgetMs ?? this.#options.defaultBudgetMs;
    const shareWithinBudget = sketch.shareWithin(budgetMs);
    if (shareWithinBudget === undefined) return undefined;
    return {
      coordinate: rule.coordinate,
      budgetMs,
      deliveryMode: this.#options.mode === 'adaptive' ? this.#previewMode(field, budgetMs) : 'budgeted',
      samples: sketch.count,
      shareWithinBudget,
      p50Ms: finiteOrNull(sketch.quantile(0.5)),
      p95Ms: finiteOrNull(sketch.quantile(0.95)),
    };
  }

  /** Changes nothing: when metrics are read must not decide how fields are delivered. */
  #previewMode({ sketch, selectors }: TrackedField, budgetMs: number): DeliveryMode {
    const selector = selectors.peek(budgetMs) ?? new DeliveryModeSelector(this.#options, budgetMs);
    return selector.preview(sketch, this.#options.now());
  }

  #deliveryModeOf({ sketch, selectors }: TrackedField, budgetMs: number): DeliveryMode {
    let selector = selectors.get(budgetMs);
    if (selector === undefined) {
      selector = new DeliveryModeSelector(this.#options, budgetMs);
      selectors.set(budgetMs, selector);
    }
    return selector.select(sketch, this.#options.now());
  }
}

function finiteOrNull(latencyMs: number | undefined): number | null {
  return latencyMs === undefined || latencyMs === Number.POSITIVE_INFINITY ? null : latencyMs;
}
