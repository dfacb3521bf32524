import type { Attributes, Context, Link, SpanKind } from '@opentelemetry/api';
import { type Sampler, SamplingDecision, type SamplingResult } from '@opentelemetry/sdk-trace';

/** Samples a trace that another one has caused exactly if that one is sampled: a job without the request that left it behind
 *  explains nothing, and neither does the request without its job. */
export class CausedSampler implements Sampler {
  readonly #uncaused: Sampler;

  /** `uncaused` decides on traces without a cause. */
  constructor(uncaused: Sampler) {
    this.#uncaused = uncaused;
  }

  shouldSample(
    context: Context,
    traceId: string,
    name: string,
    kind: SpanKind,
    attributes: Attributes,
    links: Link[],
  ): SamplingResult {
    const [cause] = links;
    if (cause === undefined)
      return this.#uncaused.shouldSample(context, traceId, name, kind, attributes, links);
    const isSampled = (cause.context.traceFlags & 1) === 1;
    return { decision: isSampled ? SamplingDecision.RECORD_AND_SAMPLED : SamplingDecision.NOT_RECORD };
  }

  toString(): string {
    return `Caused{${this.#uncaused}}`;
  }
}
