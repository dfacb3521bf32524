import { isSubgraphFailure } from '../cached-fetches/subgraphFailure.ts';
import type { EnrichmentRun, PlaceResult } from '../enrichment/enrichmentJob.ts';
import { GatewayError } from '../errors.ts';
import type { Execution } from '../execution/execution.ts';
import type { SelectionSet } from '../operation/selection.ts';
import type { AnswerShaping } from '../response/answerShaping.ts';
import type { DeferredResults } from '../response/incrementalPublisher.ts';
import { surroundingPath } from '../response/lateFragments.ts';
import type { LatePlace } from '../response/shape.ts';
import { resultInSlices } from '../time/inSlices.ts';
import { placeKey } from './placeKey.ts';

export interface LateRunOptions {
  readonly execution: Execution;
  readonly shaping: AnswerShaping;
  readonly places: readonly LatePlace[];
  /** Called once, when the execution is not needed any more: all is there, or nobody wants it. */
  onEnd(): void;
}

/** What goes on after the first answer: results for the places that it left out, as the execution brings them. */
export class LateRun implements EnrichmentRun {
  readonly #options: LateRunOptions;
  /** Places that are made of the same selection wait for the same. */
  readonly #open = new Map<SelectionSet, LatePlace[]>();
  readonly #ended = Promise.withResolvers<void>();
  #take: ((result: PlaceResult) => void) | undefined;
  #beingMade = 0;
  #isEnded = false;

  constructor(options: LateRunOptions) {
    this.#options = options;
    for (const place of options.places) {
      const same = this.#open.get(place.set);
      if (same === undefined) this.#open.set(place.set, [place]);
      else same.push(place);
    }
  }

  results(take: (result: PlaceResult) => void): Promise<void> {
    this.#take = take;
    if (this.#open.size === 0) this.#end();
    else this.completeGroup();
    return this.#ended.promise;
  }

  cancel(): void {
    this.#end();
  }

  /** Some delivery group is complete. */
  completeGroup(): void {
    if (this.#take === undefined || this.#isEnded) return;
    for (const [set, places] of this.#open) {
      const groups = groupsOf(places[0] as LatePlace);
      if (![...groups].every((group) => this.#options.execution.isComplete(group))) continue;
      this.#open.delete(set);
      this.#beingMade += 1;
      this.#make(groups, set, places).then(
        () => {
          this.#beingMade -= 1;
          if (this.#open.size === 0 && this.#beingMade === 0) this.#end();
        },
        (fault: unknown) => {
          this.#ended.reject(fault);
          this.#end();
        },
      );
    }
  }

  async #make(groups: ReadonlySet<number>, set: SelectionSet, places: readonly LatePlace[]): Promise<void> {
    try {
      const { shaping, execution } = this.#options;
      const instances = places.map((place) => ({
        object: place.object,
        type: place.type,
        path: surroundingPath(place),
      }));
      const made = await resultInSlices(shaping.late(groups, set, instances));
      const mayBeMended = execution.errors.some(
        ({ group, reason }) => groups.has(group) && isSubgraphFailure(reason),
      );
      for (const [index, place] of places.entries()) this.#give(place, made.results[index], mayBeMended);
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      for (const { path } of places) {
        const told = new GatewayError(error.code, error.message, { path });
        this.#take?.({
          key: placeKey(path),
          path,
          data: null,
          errors: [told.toFormatted()],
          isRetryable: false,
        });
      }
    }
  }

  #give(
    { path, field }: LatePlace,
    result: DeferredResults['results'][number] | undefined,
    mayBeMended: boolean,
  ): void {
    const { data = null, errors = [] } = result ?? {};
    this.#take?.({
      key: placeKey(path),
      path,
      data: field === undefined ? data : (data?.[field] ?? null),
      errors: errors.length === 0 ? undefined : errors,
      isRetryable: mayBeMended && errors.length > 0,
    });
  }

  #end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#take = undefined;
    this.#open.clear();
    this.#ended.resolve();
    this.#options.onEnd();
  }
}

function groupsOf({ enrichments }: LatePlace): ReadonlySet<number> {
  return new Set(enrichments.map((enrichment) => enrichment + 1));
}
