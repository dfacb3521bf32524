import { GatewayError } from '../errors.ts';
import type { Execution } from '../execution/execution.ts';
import { textInSlices } from '../json/stringifyInSlices.ts';
import type { PreparedOperation } from '../operation/preparedOperation.ts';
import type { IncrementalFormat } from '../operation/request.ts';
import { resultInSlices, type SlicedWork } from '../time/inSlices.ts';
import { answerCaching } from './answerCaching.ts';
import { answerExtensions } from './answerExtensions.ts';
import type { AnswerShaping, FirstShape } from './answerShaping.ts';
import { completeGroups } from './completeGroups.ts';
import type { EnrichmentExtension } from './enrichmentExtension.ts';
import { payloadFormat } from './incrementalFormats.ts';
import { IncrementalPublisher } from './incrementalPublisher.ts';
import { LateFragments } from './lateFragments.ts';
import type { IncrementalOutcome, SingleOutcome } from './outcome.ts';
import type { DeferredInstance, LatePlace } from './shape.ts';
import { failedOutcome, shapedOutcome } from './singleResponse.ts';

export interface IncrementalResponseOptions {
  readonly operation: PreparedOperation;
  readonly execution: Execution;
  readonly shaping: AnswerShaping;
  readonly format: IncrementalFormat;
  /** No payload has more. */
  readonly maxBytes: number;
  /** Called once when the stream has ended, completely or because its reader left. */
  onEnd(): void;
}

/** What of the first payload is not there, and what becomes of it. */
export interface LeftOut {
  /** Enrichments that are not complete. */
  isLate(enrichment: number): boolean;
  /** Whether it comes as payloads of this answer, though the client has not asked for it at this place. */
  readonly isStreamed: boolean;
  /** For what does not come with this answer: takes it over, and says how the client gets it. */
  takeOver(places: readonly LatePlace[]): Promise<EnrichmentExtension>;
}

/** The answer of an operation with parts that come later, made from the moment on at which the first payload may
 *  leave: a stream of payloads, or one answer where nothing turned out to come later. */
export class IncrementalResponse {
  readonly #options: IncrementalResponseOptions;
  readonly #publisher: IncrementalPublisher;
  readonly #late: LateFragments;
  #wake: (() => void) | undefined;
  #isStreaming = false;
  #isEnded = false;
  #isCut = false;

  constructor(options: IncrementalResponseOptions) {
    this.#options = options;
    const { operation, execution, shaping } = options;
    const format = payloadFormat(options.format);
    const publisher = new IncrementalPublisher({
      format,
      shape: (fragment, instances) =>
        this.#late.isLate(fragment)
          ? shaping.late(this.#late.groupsOf(fragment), fragment.full, instances)
          : shaping.fragment(fragment.id + 1, format.selectionOf(fragment), instances),
    });
    this.#publisher = publisher;
    this.#late = new LateFragments({
      firstId: operation.program.groups.length,
      isComplete: (group) => execution.isComplete(group),
      onComplete: (id) => publisher.complete(id),
    });
  }

  /** Group 0 is the primary answer; the fragment of group `n` has the number `n - 1`. */
  completeGroup(group: number): void {
    if (group > 0) this.#publisher.complete(group - 1);
    this.#late.completeGroup();
    this.#wake?.();
  }

  /** Ends the stream early, but in good order: its reader still gets a last payload. */
  cut(): void {
    this.#isCut = !this.#isEnded && this.#isStreaming;
    this.#end();
  }

  /** To be called when group 0 is complete. `undefined` where something is left out that only the whole answer could
   *  be left out for: it is to be called again, later. Errors: those of `takeOver`. */
  async respond(leftOut?: LeftOut): Promise<SingleOutcome | IncrementalOutcome | undefined> {
    try {
      const { shaping, operation, execution } = this.#options;
      const groups = completeGroups(operation, execution);
      const shaped = await resultInSlices(
        shaping.first(
          groups,
          leftOut && {
            isLate: (id) => leftOut.isLate(id),
            // Clients merge into objects that they have: there is none where an element is null.
            keepsLists: leftOut.isStreamed,
          },
        ),
      );
      if (shaped.isTooEarly) return undefined;
      const isHandedOver = shaped.late.length > 0 && leftOut?.isStreamed === false;
      const enrichment = isHandedOver ? await leftOut.takeOver(shaped.late) : undefined;
      return await resultInSlices(this.#begin(shaped, enrichment));
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      this.#end();
      return failedOutcome(error);
    }
  }

  *#begin(
    shaped: FirstShape,
    enrichment: EnrichmentExtension | undefined,
  ): SlicedWork<SingleOutcome | IncrementalOutcome> {
    const { data, errors, deferred, late } = shaped;
    const extensions = answerExtensions(shaped.stale, enrichment);
    const streamed: readonly DeferredInstance[] =
      enrichment === undefined && late.length > 0 ? [...deferred, ...this.#late.add(late)] : deferred;
    if (streamed.length > 0) {
      const text = yield* textInSlices(data);
      const first = yield* this.#publisher.first({ data: text, errors, extensions }, streamed);
      if (this.#publisher.hasNext) {
        this.#isStreaming = true;
        return { kind: 'incremental', payloads: this.#payloads(first) };
      }
    }
    this.#end();
    const { operation, execution, maxBytes } = this.#options;
    const caching = late.length > 0 ? undefined : answerCaching(operation, execution);
    return yield* shapedOutcome({ data, errors, extensions, caching }, maxBytes);
  }

  #payloads(first: string): AsyncIterable<readonly string[]> {
    // Not a generator: `return()` of a generator that waits is itself put off until the wait is over.
    let firstBatch: string | undefined = first;
    const done = { done: true, value: undefined } as const;
    const iterator: AsyncIterableIterator<readonly string[]> = {
      next: async () => {
        for (;;) {
          const batch = firstBatch === undefined ? [] : [firstBatch];
          firstBatch = undefined;
          if (this.#isCut) {
            this.#isCut = false;
            return { done: false, value: [...batch, '{"hasNext":false}'] };
          }
          if (this.#isEnded) return done;
          // What happens while these are made must not be missed.
          const changed = this.#changed();
          const ready = await resultInSlices(this.#publisher.takeReady());
          if (this.#isEnded) {
            // They may have been made of data that was let go of meanwhile.
            firstBatch = batch[0];
            continue;
          }
          batch.push(...ready);
          if (batch.length > 0) {
            if (!this.#publisher.hasNext) this.#end();
            return { done: false, value: batch };
          }
          await changed;
        }
      },
      return: async () => {
        this.#end();
        return done;
      },
      [Symbol.asyncIterator]: () => iterator,
    };
    return iterator;
  }

  #changed(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = () => {
        this.#wake = undefined;
        resolve();
      };
    });
  }

  #end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#options.onEnd();
    this.#wake?.();
  }
}
