import { GatewayError } from '../../errors.ts';
import type { Execution } from '../../execution/execution.ts';
import type { SelectionSet } from '../../operation/selection.ts';
import type { DeferredResults } from '../../response/incrementalPublisher.ts';
import type { ResponseShaper } from '../../response/responseShaper.ts';
import type { PendingField, ShapedData } from '../../response/shapeData.ts';
import { parentObjectPathOf } from '../../response/streamedEnrichments.ts';
import { resolveInSlices } from '../../time/slicedTask.ts';
import type { FieldResult, JobAttempt } from '../enrichmentJob.ts';
import { responsePathKey } from './createEnrichmentJob.ts';

interface ExecutionAttemptOptions {
  readonly execution: Execution;
  readonly shaper: ResponseShaper;
  readonly pending: readonly PendingField[];
  /** Called once, when the attempt is complete or cancelled and no longer needs the execution. */
  onEnd(): void;
}

/** The attempt that continues an execution after the first response: a result for each pending field, as it arrives. */
export class ExecutionAttempt implements JobAttempt {
  readonly #options: ExecutionAttemptOptions;
  /** Fields with the same selection set wait for the same groups. */
  readonly #pendingBySelection: Map<SelectionSet, PendingField[]>;
  readonly #ended = Promise.withResolvers<void>();
  #onResult: ((result: FieldResult) => void) | undefined;
  #shapingCount = 0;
  #errorType: string | undefined;
  #isEnded = false;

  constructor(options: ExecutionAttemptOptions) {
    this.#options = options;
    this.#pendingBySelection = Map.groupBy(options.pending, ({ selectionSet }) => selectionSet);
  }

  /** The code of the first field that failed, for the span of the attempt. */
  get errorType(): string | undefined {
    return this.#errorType;
  }

  collect(onResult: (result: FieldResult) => void): Promise<void> {
    this.#onResult = onResult;
    if (this.#pendingBySelection.size === 0) this.#end();
    else this.completeGroup();
    return this.#ended.promise;
  }

  cancel(): void {
    this.#end();
  }

  /** A delivery group is complete. */
  completeGroup(): void {
    if (this.#onResult === undefined || this.#isEnded) return;
    for (const [set, fields] of this.#pendingBySelection) {
      const groups = new Set((fields[0] as PendingField).groups);
      if (![...groups].every((group) => this.#options.execution.isComplete(group))) continue;
      this.#pendingBySelection.delete(set);
      this.#shapingCount += 1;
      this.#shapeResults(groups, set, fields).then(
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
    fields: readonly PendingField[],
  ): Promise<void> {
    try {
      const { shaper, execution } = this.#options;
      const instances = fields.map((field) => ({
        object: field.object,
        type: field.type,
        path: parentObjectPathOf(field),
      }));
      const shaped = await resolveInSlices(shaper.shapePending(groups, set, instances));
      const mayRecover = execution.transientErrorsOf(groups).length > 0;
      for (const [index, field] of fields.entries()) this.#emit(field, shaped.results[index], mayRecover);
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      this.#errorType ??= error.code;
      for (const { path } of fields) {
        const located = new GatewayError(error.code, error.message, { path });
        this.#onResult?.({
          key: responsePathKey(path),
          path,
          data: null,
          errors: [located.toFormatted()],
          isRetryable: false,
        });
      }
    }
  }

  #emit(
    { path, field }: PendingField,
    result: DeferredResults<ShapedData['data']>['results'][number] | undefined,
    mayRecover: boolean,
  ): void {
    const { data = null, errors = [] } = result ?? {};
    if (errors[0] !== undefined) this.#errorType ??= String(errors[0].extensions?.code);
    this.#onResult?.({
      key: responsePathKey(path),
      path,
      data: field === undefined ? data : (data?.[field] ?? null),
      errors: errors.length === 0 ? undefined : errors,
      isRetryable: mayRecover && errors.length > 0,
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
