import { GatewayError } from '../../errors.ts';
import type { Execution } from '../../execution/execution.ts';
import { isSubgraphFailure } from '../../execution/subgraphFailure.ts';
import type { SelectionSet } from '../../operation/selection.ts';
import type { DeferredResults } from '../../response/incrementalPublisher.ts';
import type { ResponseShaper } from '../../response/responseShaper.ts';
import type { PendingField } from '../../response/shapeData.ts';
import { parentObjectPathOf } from '../../response/streamedEnrichments.ts';
import { resolveInSlices } from '../../time/slicedTask.ts';
import type { FieldResult, JobAttempt } from '../enrichmentJob.ts';
import { responsePathKey } from './createEnrichmentJob.ts';

interface ExecutionAttemptOptions {
  readonly execution: Execution;
  readonly shaper: ResponseShaper;
  readonly pending: readonly PendingField[];
  /** Called once, when the execution is not needed any more: all is there, or nobody wants it. */
  onEnd(): void;
}

/** What goes on after the first answer: results for the places that it left out, as the execution brings them. */
export class ExecutionAttempt implements JobAttempt {
  readonly #options: ExecutionAttemptOptions;
  /** Places that are made of the same selection wait for the same. */
  readonly #pendingBySelection = new Map<SelectionSet, PendingField[]>();
  readonly #ended = Promise.withResolvers<void>();
  #onResult: ((result: FieldResult) => void) | undefined;
  #shapingCount = 0;
  #isEnded = false;

  constructor(options: ExecutionAttemptOptions) {
    this.#options = options;
    for (const place of options.pending) {
      const same = this.#pendingBySelection.get(place.selectionSet);
      if (same === undefined) this.#pendingBySelection.set(place.selectionSet, [place]);
      else same.push(place);
    }
  }

  collect(take: (result: FieldResult) => void): Promise<void> {
    this.#onResult = take;
    if (this.#pendingBySelection.size === 0) this.#end();
    else this.completeGroup();
    return this.#ended.promise;
  }

  cancel(): void {
    this.#end();
  }

  /** Some delivery group is complete. */
  completeGroup(): void {
    if (this.#onResult === undefined || this.#isEnded) return;
    for (const [set, places] of this.#pendingBySelection) {
      const groups = new Set((places[0] as PendingField).groups);
      if (![...groups].every((group) => this.#options.execution.isComplete(group))) continue;
      this.#pendingBySelection.delete(set);
      this.#shapingCount += 1;
      this.#shapeResults(groups, set, places).then(
        () => {
          this.#shapingCount -= 1;
          if (this.#pendingBySelection.size === 0 && this.#shapingCount === 0) this.#end();
        },
        (fault: unknown) => {
          this.#ended.reject(fault);
          this.#end();
        },
      );
    }
  }

  async #shapeResults(
    groups: ReadonlySet<number>,
    set: SelectionSet,
    places: readonly PendingField[],
  ): Promise<void> {
    try {
      const { shaper, execution } = this.#options;
      const instances = places.map((place) => ({
        object: place.object,
        type: place.type,
        path: parentObjectPathOf(place),
      }));
      const made = await resolveInSlices(shaper.shapePending(groups, set, instances));
      const mayBeMended = execution.errors.some(
        ({ group, reason }) => groups.has(group) && isSubgraphFailure(reason),
      );
      for (const [index, place] of places.entries()) this.#emit(place, made.results[index], mayBeMended);
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      for (const { path } of places) {
        const told = new GatewayError(error.code, error.message, { path });
        this.#onResult?.({
          key: responsePathKey(path),
          path,
          data: null,
          errors: [told.toFormatted()],
          isRetryable: false,
        });
      }
    }
  }

  #emit(
    { path, field }: PendingField,
    result: DeferredResults['results'][number] | undefined,
    mayBeMended: boolean,
  ): void {
    const { data = null, errors = [] } = result ?? {};
    this.#onResult?.({
      key: responsePathKey(path),
      path,
      data: field === undefined ? data : (data?.[field] ?? null),
      errors: errors.length === 0 ? undefined : errors,
      isRetryable: mayBeMended && errors.length > 0,
    });
  }

  #end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#onResult = undefined;
    this.#pendingBySelection.clear();
    this.#ended.resolve();
    this.#options.onEnd();
  }
}
