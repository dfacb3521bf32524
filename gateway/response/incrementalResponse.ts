import type { Execution } from '../execution/execution.ts';
import { stringifyToTextInSlices } from '../json/stringifyInSlices.ts';
import type { IncrementalFormat } from '../operation/operationRequest.ts';
import type { PreparedOperation } from '../operation/preparedOperation.ts';
import type { DeferredFragment } from '../operation/selection.ts';
import type { TraceSpan } from '../telemetry/trace.ts';
import { resolveInSlices, type SlicedTask } from '../time/slicedTask.ts';
import type { IncrementalOutcome } from './executionOutcome.ts';
import { payloadFormat } from './incrementalFormats.ts';
import { IncrementalPublisher } from './incrementalPublisher.ts';
import type { ResponseExtensions } from './responseExtensions.ts';
import type { ResponseShaper, ShapedFirstPayload } from './responseShaper.ts';
import type { PendingField } from './shapeData.ts';
import { StreamedEnrichments } from './streamedEnrichments.ts';

interface IncrementalResponseOptions {
  readonly operation: PreparedOperation;
  readonly execution: Execution;
  readonly shaper: ResponseShaper;
  readonly format: IncrementalFormat;
  /** Payloads report their times. */
  readonly reportsTimes: boolean;
  /** The parent of the payloads' spans. */
  readonly span?: TraceSpan | undefined;
  /** Called once when the opened stream has ended, completely or because its reader returned. */
  onEnd(isComplete: boolean): void;
}

/** The first payload, and what follows it. */
interface FirstPayload extends Pick<ShapedFirstPayload, 'data' | 'errors' | 'deferred'> {
  readonly extensions: ResponseExtensions | undefined;
  /** Enrichments that follow as payloads of this response. */
  readonly pending: readonly PendingField[];
}

/** The payloads of a response whose deferred fragments or enrichments follow the first payload. */
export class IncrementalResponse {
  readonly #options: IncrementalResponseOptions;
  readonly #publisher: IncrementalPublisher;
  readonly #streamedEnrichments: StreamedEnrichments;
  #wake: (() => void) | undefined;
  /** `cut`: ended early, and the last payload is still to be read. */
  #state: 'unopened' | 'open' | 'cut' | 'ended' = 'unopened';

  constructor(options: IncrementalResponseOptions) {
    this.#options = options;
    const { operation, execution, shaper } = options;
    const { observer } = execution;
    const format = payloadFormat(options.format);
    const publisher = new IncrementalPublisher({
      format,
      span: options.span,
      shape: (fragment, instances) =>
        this.#streamedEnrichments.has(fragment)
          ? shaper.shapeStreamed(
              this.#streamedEnrichments.groupsOf(fragment),
              fragment.full,
              instances,
              format.mayReplaceObjects,
            )
          : shaper.shapeFragment(
              fragment.group,
              format.selectionSetOf(fragment),
              instances,
              format.mayReplaceObjects,
            ),
      ...(options.reportsTimes && observer?.timesOf !== undefined
        ? { timesOf: (fragment) => observer.timesOf?.(this.#groupsOf(fragment)) }
        : {}),
    });
    this.#publisher = publisher;
    this.#streamedEnrichments = new StreamedEnrichments({
      firstGroup: operation.program.groups.length,
      isComplete: (group) => execution.isComplete(group),
      onComplete: (group) => publisher.markComplete(group),
    });
  }

  get isOpen(): boolean {
    return this.#state === 'open';
  }

  completeGroup(group: number): void {
    this.#publisher.markComplete(group);
    this.#streamedEnrichments.completeGroup();
    this.#wake?.();
  }

  /** `undefined` when nothing follows the first payload, because the data has no object with deferred fields. */
  *open({
    data,
    errors,
    extensions,
    deferred,
    pending,
  }: FirstPayload): SlicedTask<IncrementalOutcome | undefined> {
    const following = [...deferred, ...this.#streamedEnrichments.add(pending)];
    if (following.length === 0) return undefined;
    const text = typeof data === 'string' ? data : yield* stringifyToTextInSlices(data);
    const first = yield* this.#publisher.publishFirst({ data: text, errors, extensions }, following);
    if (!this.#publisher.hasNext) return undefined;
    this.#state = 'open';
    return {
      kind: 'incremental',
      payloads: this.#createPayloads(first),
      firstErrors: errors.length > 0 ? errors : undefined,
      hasErrors: () => this.#publisher.hasErrors,
      isComplete: () => !this.#publisher.hasNext,
    };
  }

  /** Ends the open stream. Its reader still gets a last payload, so that the response is well-formed. */
  endEarly(): void {
    if (this.#state === 'open') this.#end('cut');
  }

  #groupsOf(fragment: DeferredFragment): ReadonlySet<number> {
    const streamed = this.#streamedEnrichments;
    return streamed.has(fragment) ? streamed.groupsOf(fragment) : new Set([fragment.group]);
  }

  #createPayloads(first: string): AsyncIterable<readonly string[]> {
    // Not a generator: `return()` of a generator waits for a pending `next()`.
    let firstBatch: string | undefined = first;
    const done = { done: true, value: undefined } as const;
    const iterator: AsyncIterableIterator<readonly string[]> = {
      next: async () => {
        for (;;) {
          const batch = firstBatch === undefined ? [] : [firstBatch];
          firstBatch = undefined;
          if (this.#state === 'cut') {
            this.#state = 'ended';
            return { done: false, value: [...batch, '{"hasNext":false}'] };
          }
          if (this.#state === 'ended') return done;
          // Requested before the payloads are made: a group that completes meanwhile must not be missed.
          const changed = this.#nextChange();
          const ready = await this.#takeReady();
          if (this.#state !== 'open') {
            // The payloads may have been made from data that was released meanwhile.
            firstBatch = batch[0];
            continue;
          }
          batch.push(...ready);
          if (batch.length > 0) {
            if (!this.#publisher.hasNext) this.#end('ended');
            return { done: false, value: batch };
          }
          await changed;
        }
      },
      return: async () => {
        this.#end('ended');
        return done;
      },
      [Symbol.asyncIterator]: () => iterator,
    };
    return iterator;
  }

  async #takeReady(): Promise<readonly string[]> {
    try {
      return await resolveInSlices(this.#publisher.takeReady());
    } catch (error) {
      this.#end('ended');
      throw error;
    }
  }

  #nextChange(): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        this.#wake = undefined;
        resolve();
      };
      this.#wake = wake;
    });
  }

  #end(state: 'cut' | 'ended'): void {
    if (this.#state === 'ended' || this.#state === 'cut') return;
    this.#state = state;
    this.#publisher.endSpans();
    this.#options.onEnd(!this.#publisher.hasNext);
    this.#wake?.();
  }
}
