import type { GraphQLFormattedError } from 'graphql';
import { GatewayError } from '../errors.ts';
import type { Execution } from '../execution/execution.ts';
import { textInSlices } from '../json/stringifyInSlices.ts';
import type { PreparedOperation } from '../operation/preparedOperation.ts';
import type { IncrementalFormat } from '../operation/request.ts';
import type { DeferredFragment, SelectionSet } from '../operation/selection.ts';
import { resultInSlices, type SlicedWork } from '../time/inSlices.ts';
import { answerCaching } from './answerCaching.ts';
import { AnswerErrors } from './answerErrors.ts';
import { type ErrorPolicy, errorsPerPause } from './formatErrors.ts';
import { payloadFormat } from './incrementalFormats.ts';
import { type DeferredResult, type DeferredResults, IncrementalPublisher } from './incrementalPublisher.ts';
import type { IncrementalOutcome, SingleOutcome } from './outcome.ts';
import { PathIndex } from './pathIndex.ts';
import { SentNulls } from './sentNulls.ts';
import { type DeferredInstance, type ShapedData, type ShapeOptions, shapeData } from './shape.ts';
import { failedOutcome, shapedOutcome } from './singleResponse.ts';
import { StaleFields } from './staleExtension.ts';

export interface IncrementalResponseOptions {
  readonly operation: PreparedOperation;
  readonly execution: Execution;
  readonly format: IncrementalFormat;
  readonly policy: ErrorPolicy;
  /** No payload has more. */
  readonly maxBytes: number;
  /** Called once when the stream has ended, completely or because its reader left. */
  onEnd(): void;
}

/** The answer of an operation with deferred fragments, made from the moment on at which the primary data is
 *  complete: a stream of payloads, or one answer where nothing turned out to be deferred. */
export class IncrementalResponse {
  readonly #options: IncrementalResponseOptions;
  readonly #publisher: IncrementalPublisher;
  readonly #errors: AnswerErrors;
  readonly #stale: StaleFields;
  readonly #shaping: ShapeOptions;
  #wake: (() => void) | undefined;
  #isEnded = false;
  #isCut = false;

  constructor(options: IncrementalResponseOptions) {
    this.#options = options;
    this.#errors = new AnswerErrors(options.operation, options.execution, options.policy);
    this.#stale = new StaleFields(options.operation, options.execution);
    this.#shaping = {
      sentNulls: new SentNulls(),
      causeOf: this.#errors.causeOf,
      maxBytes: options.maxBytes,
    };
    const format = payloadFormat(options.format);
    this.#publisher = new IncrementalPublisher({
      format,
      shape: (fragment, instances) => this.#shape(fragment, format.selectionOf(fragment), instances),
    });
  }

  /** Group 0 is the primary answer; the fragment of group `n` has the number `n - 1`. */
  completeGroup(group: number): void {
    if (group > 0) this.#publisher.complete(group - 1);
    this.#wake?.();
  }

  /** Ends the stream early, but in good order: its reader still gets a last payload. */
  cut(): void {
    this.#isCut = !this.#isEnded && this.#publisher.hasNext;
    this.#end();
  }

  /** To be called once, after group 0 is complete. */
  *respond(): SlicedWork<SingleOutcome | IncrementalOutcome> {
    const { operation, execution, maxBytes } = this.#options;
    const { root, rootType, supergraph } = operation;
    try {
      yield* this.#errors.read();
      const { apiSchema } = supergraph;
      const shaped = yield* shapeData(apiSchema, root, rootType, execution.tree, [], this.#shaping);
      const errors = yield* this.#errors.ofGroup(0, shaped.errors);
      const extensions = yield* this.#stale.ofGroup(0, [{ path: [], data: shaped.data }]);
      if (shaped.deferred.length > 0) {
        const data = yield* textInSlices(shaped.data);
        const first = yield* this.#publisher.first({ data, errors, extensions }, shaped.deferred);
        if (this.#publisher.hasNext) return { kind: 'incremental', payloads: this.#payloads(first) };
      }
      this.#end();
      const caching = answerCaching(operation, execution);
      return yield* shapedOutcome({ data: shaped.data, errors, extensions, caching }, maxBytes);
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      this.#end();
      return failedOutcome(error);
    }
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
          batch.push(...(await resultInSlices(this.#publisher.takeReady())));
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

  *#shape(
    fragment: DeferredFragment,
    set: SelectionSet,
    instances: readonly DeferredInstance[],
  ): SlicedWork<DeferredResults> {
    const { apiSchema } = this.#options.operation.supergraph;
    yield* this.#errors.read();
    const shaped: ShapedData[] = [];
    let leftBytes = this.#options.maxBytes;
    for (const { object, type, path } of instances) {
      const options = { ...this.#shaping, maxBytes: leftBytes };
      const one = yield* shapeData(apiSchema, set, type, object, path, options);
      leftBytes -= one.bytes;
      this.#errors.tell(one.errors);
      shaped.push(one);
      if (shaped.length % placesPerPause === 0) yield;
    }
    const all = yield* this.#errors.ofFetches(fragment.id + 1);
    const explained = yield* this.#errors.placesOf(all);
    const byPlace = yield* assign(all, instances);
    const results: DeferredResult[] = [];
    for (const [index, { data, errors, deferred }] of shaped.entries()) {
      const told = byPlace[index] ?? [];
      for (const error of yield* this.#errors.format(errors, explained)) told.push(error);
      if (data === null && told.length === 0) {
        const { path } = instances[index] as DeferredInstance;
        const above = explained.firstOn(path);
        // What failed for a whole list, told for one of its places: a fragment that fails always says why.
        const reasons =
          above === undefined
            ? yield* this.#errors.format(errors, new PathIndex())
            : [{ ...(all[above] as GraphQLFormattedError), path }];
        told.push(...reasons.slice(0, 1));
      }
      results.push({ data, errors: told, deferred });
      if (results.length % placesPerPause === 0) yield;
    }
    const delivered = instances.map(({ path }, index) => ({
      path,
      data: (results[index] as DeferredResult).data,
    }));
    return { results, extensions: yield* this.#stale.ofGroup(fragment.id + 1, delivered) };
  }
}

/** Long lists pause after so many places of a fragment. */
const placesPerPause = 200;

/** Gives each error to the place that its path leads into, or to the first one below its path. What is at none of
 *  the places is of one that became null before. Only places that have errors are filled. */
function* assign(
  errors: readonly GraphQLFormattedError[],
  instances: readonly DeferredInstance[],
): SlicedWork<(GraphQLFormattedError[] | undefined)[]> {
  const byPlace: (GraphQLFormattedError[] | undefined)[] = [];
  if (errors.length === 0) return byPlace;
  const places = new PathIndex();
  for (const { path } of instances) if (places.add(path) % placesPerPause === 0) yield;
  for (const [number, error] of errors.entries()) {
    if (number % errorsPerPause === errorsPerPause - 1) yield;
    const path = error.path ?? [];
    const index = places.firstOn(path) ?? places.firstBelow(path);
    if (index === undefined) continue;
    const ofPlace = byPlace[index];
    if (ofPlace === undefined) byPlace[index] = [error];
    else ofPlace.push(error);
  }
  return byPlace;
}
