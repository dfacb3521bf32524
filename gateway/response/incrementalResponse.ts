import { GatewayError } from '../errors.ts';
import type { Execution } from '../execution/execution.ts';
import { stringifyToTextInSlices } from '../json/stringifyInSlices.ts';
import type { IncrementalFormat } from '../operation/operationRequest.ts';
import type { PreparedOperation } from '../operation/preparedOperation.ts';
import { resolveInSlices, type SlicedTask } from '../time/slicedTask.ts';
import { clientCachingOf } from './clientCachingOf.ts';
import { completedGroupsOf } from './completedGroupsOf.ts';
import { createFailedOutcome, createShapedOutcome } from './createSingleResponse.ts';
import type { EnrichmentExtension } from './enrichmentExtension.ts';
import type { IncrementalOutcome, SingleOutcome } from './executionOutcome.ts';
import { payloadFormat } from './incrementalFormats.ts';
import { IncrementalPublisher } from './incrementalPublisher.ts';
import { createResponseExtensions } from './responseExtensions.ts';
import type { ResponseShaper, ShapedFirstPayload } from './responseShaper.ts';
import type { DeferredInstance, PendingField } from './shapeData.ts';
import { StreamedEnrichments } from './streamedEnrichments.ts';

interface IncrementalResponseOptions {
  readonly operation: PreparedOperation;
  readonly execution: Execution;
  readonly shaping: ResponseShaper;
  readonly format: IncrementalFormat;
  /** No payload has more. */
  readonly maxBytes: number;
  /** Called once when the stream has ended, completely or because its reader left. */
  onEnd(): void;
}

/** What of the first payload is not there, and what becomes of it. */
interface PendingDelivery {
  /** Enrichments that are not complete. */
  isPending(group: number): boolean;
  /** Whether it comes as payloads of this answer, though the client has not asked for it at this place. */
  readonly isStreamed: boolean;
  /** For what does not come with this answer: takes it over, and says how the client gets it. */
  enqueue(places: readonly PendingField[]): Promise<EnrichmentExtension>;
}

/** The answer of an operation with parts that come later, made from the moment on at which the first payload may
 *  leave: a stream of payloads, or one answer where nothing turned out to come later. */
export class IncrementalResponse {
  readonly #options: IncrementalResponseOptions;
  readonly #publisher: IncrementalPublisher;
  readonly #streamedEnrichments: StreamedEnrichments;
  #wake: (() => void) | undefined;
  #isStreaming = false;
  #isEnded = false;
  #isEndedEarly = false;

  constructor(options: IncrementalResponseOptions) {
    this.#options = options;
    const { operation, execution, shaping } = options;
    const format = payloadFormat(options.format);
    const publisher = new IncrementalPublisher({
      format,
      shape: (fragment, instances) =>
        this.#streamedEnrichments.has(fragment)
          ? shaping.shapePending(this.#streamedEnrichments.groupsOf(fragment), fragment.full, instances)
          : shaping.shapeFragment(fragment.group, format.selectionSetOf(fragment), instances),
    });
    this.#publisher = publisher;
    this.#streamedEnrichments = new StreamedEnrichments({
      firstGroup: operation.program.groups.length,
      isComplete: (group) => execution.isComplete(group),
      onComplete: (group) => publisher.markComplete(group),
    });
  }

  completeGroup(group: number): void {
    this.#publisher.markComplete(group);
    this.#streamedEnrichments.completeGroup();
    this.#wake?.();
  }

  /** Ends the stream early, but in good order: its reader still gets a last payload. */
  endEarly(): void {
    this.#isEndedEarly = !this.#isEnded && this.#isStreaming;
    this.#end();
  }

  /** To be called when group 0 is complete. `undefined` where something is left out that only the whole answer could
   *  be left out for: it is to be called again, later. Errors: those of `findOverridePair`. */
  async respond(leftOut?: PendingDelivery): Promise<SingleOutcome | IncrementalOutcome | undefined> {
    try {
      const { shaping, operation, execution } = this.#options;
      const groups = completedGroupsOf(operation, execution);
      const shaped = await resolveInSlices(
        shaping.shapeFirst(
          groups,
          leftOut && {
            isPending: (group) => leftOut.isPending(group),
            // Clients merge into objects that they have: there is none where an element is null.
            keepsListsWhole: leftOut.isStreamed,
          },
        ),
      );
      if (shaped.isBlockedByPending) return undefined;
      const isHandedOver = shaped.pending.length > 0 && leftOut?.isStreamed === false;
      const enrichment = isHandedOver ? await leftOut.enqueue(shaped.pending) : undefined;
      return await resolveInSlices(this.#createOutcome(shaped, enrichment));
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      this.#end();
      return createFailedOutcome(error);
    }
  }

  *#createOutcome(
    shaped: ShapedFirstPayload,
    enrichment: EnrichmentExtension | undefined,
  ): SlicedTask<SingleOutcome | IncrementalOutcome> {
    const { data, errors, deferred, pending } = shaped;
    const extensions = createResponseExtensions(shaped.stale, enrichment);
    const streamed: readonly DeferredInstance[] =
      enrichment === undefined && pending.length > 0
        ? [...deferred, ...this.#streamedEnrichments.add(pending)]
        : deferred;
    if (streamed.length > 0) {
      const text = yield* stringifyToTextInSlices(data);
      const first = yield* this.#publisher.publishFirst({ data: text, errors, extensions }, streamed);
      if (this.#publisher.hasNext) {
        this.#isStreaming = true;
        return { kind: 'incremental', payloads: this.#createPayloads(first) };
      }
    }
    this.#end();
    const { operation, execution, maxBytes } = this.#options;
    const caching = pending.length > 0 ? undefined : clientCachingOf(operation, execution);
    return yield* createShapedOutcome({ data, errors, extensions, caching }, maxBytes);
  }

  #createPayloads(first: string): AsyncIterable<readonly string[]> {
    // Not a generator: `return()` of a generator that waits is itself put off until the wait is over.
    let firstBatch: string | undefined = first;
    const done = { done: true, value: undefined } as const;
    const iterator: AsyncIterableIterator<readonly string[]> = {
      next: async () => {
        for (;;) {
          const batch = firstBatch === undefined ? [] : [firstBatch];
          firstBatch = undefined;
          if (this.#isEndedEarly) {
            this.#isEndedEarly = false;
            return { done: false, value: [...batch, '{"hasNext":false}'] };
          }
          if (this.#isEnded) return done;
          // What happens while these are made must not be missed.
          const changed = this.#nextChange();
          const ready = await resolveInSlices(this.#publisher.takeReady());
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

  #nextChange(): Promise<void> {
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
