import type { GraphQLFormattedError } from 'graphql';
import type { ResponsePath } from '../errors.ts';
import type { Execution } from '../execution/execution.ts';
import type { PreparedOperation } from '../operation/preparedOperation.ts';
import type { IncrementalFormat } from '../operation/request.ts';
import type { DeferredFragment } from '../operation/selection.ts';
import { AnswerErrors } from './answerErrors.ts';
import type { ErrorPolicy } from './formatErrors.ts';
import { payloadFormat } from './incrementalFormats.ts';
import { type DeferredResult, IncrementalPublisher } from './incrementalPublisher.ts';
import { type IncrementalOutcome, ResponseText, type SingleOutcome } from './outcome.ts';
import { SentNulls } from './sentNulls.ts';
import { type DeferredInstance, type ShapeOptions, shapeData } from './shape.ts';

export interface IncrementalResponseOptions {
  readonly operation: PreparedOperation;
  readonly execution: Execution;
  readonly format: IncrementalFormat;
  readonly policy: ErrorPolicy;
  /** Called once when the stream has ended, completely or because its reader left. */
  onEnd(): void;
}

/** The answer of an operation with deferred fragments, made from the moment on at which the primary data is
 *  complete: a stream of payloads, or one answer where nothing turned out to be deferred. */
export class IncrementalResponse {
  readonly #options: IncrementalResponseOptions;
  readonly #publisher: IncrementalPublisher;
  readonly #errors: AnswerErrors;
  readonly #shaping: ShapeOptions;
  #wake: (() => void) | undefined;
  #isEnded = false;
  #isCut = false;

  constructor(options: IncrementalResponseOptions) {
    this.#options = options;
    this.#errors = new AnswerErrors(options.operation, options.execution, options.policy);
    this.#shaping = { sentNulls: new SentNulls(), causeOf: this.#errors.causeOf };
    const format = payloadFormat(options.format);
    this.#publisher = new IncrementalPublisher({
      format,
      shape: (fragment, instances) =>
        this.#shape(
          fragment,
          instances.map(({ object, type, path }) =>
            shapeData(
              options.operation.supergraph.apiSchema,
              format.selectionOf(fragment),
              type,
              object,
              path,
              this.#shaping,
            ),
          ),
          instances,
        ),
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
  respond(): SingleOutcome | IncrementalOutcome {
    const { operation, execution } = this.#options;
    const { root, rootType, supergraph } = operation;
    const shaped = shapeData(supergraph.apiSchema, root, rootType, execution.tree, [], this.#shaping);
    const errors = this.#errors.ofGroup(0, shaped.errors);
    const data = JSON.stringify(shaped.data);
    const first = this.#publisher.first(data, errors, shaped.deferred);
    if (!this.#publisher.hasNext) {
      this.#end();
      return {
        kind: 'single',
        data: new ResponseText(data),
        errors: errors.length === 0 ? undefined : errors,
        extensions: undefined,
      };
    }
    return { kind: 'incremental', payloads: this.#payloads(first) };
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
          batch.push(...this.#publisher.takeReady());
          if (batch.length > 0) {
            if (!this.#publisher.hasNext) this.#end();
            return { done: false, value: batch };
          }
          await this.#changed();
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

  #shape(
    fragment: DeferredFragment,
    shaped: readonly ReturnType<typeof shapeData>[],
    instances: readonly DeferredInstance[],
  ): readonly DeferredResult[] {
    for (const { errors } of shaped) this.#errors.tell(errors);
    const all = this.#errors.ofFetches(fragment.id + 1);
    const byPlace = assign(all, instances);
    return shaped.map(({ data, errors, deferred }, index) => {
      const told = [...(byPlace[index] as GraphQLFormattedError[]), ...this.#errors.format(errors, all)];
      if (data === null && told.length === 0) {
        const { path } = instances[index] as DeferredInstance;
        told.push(...[...reasonsAbove(path, all), ...this.#errors.format(errors, [])].slice(0, 1));
      }
      return { data, errors: told, deferred };
    });
  }
}

/** What failed for a whole list, told for one of its places: a fragment that fails always says why. */
function reasonsAbove(
  place: ResponsePath,
  errors: readonly GraphQLFormattedError[],
): GraphQLFormattedError[] {
  return errors
    .filter(({ path = [] }) => path.every((part, i) => place[i] === part))
    .map((error) => ({ ...error, path: place }));
}

/** Gives each error to the place that its path leads into, and to the first one where it leads into none. */
function assign(
  errors: readonly GraphQLFormattedError[],
  instances: readonly DeferredInstance[],
): GraphQLFormattedError[][] {
  const byPlace: GraphQLFormattedError[][] = instances.map(() => []);
  for (const error of errors) {
    const path = error.path ?? [];
    const index = instances.findIndex(({ path: place }) => place.every((part, i) => path[i] === part));
    byPlace[index === -1 ? 0 : index]?.push(error);
  }
  return byPlace;
}
