import type { GraphQLFormattedError } from 'graphql';
import type { Execution } from '../execution/execution.ts';
import type { PreparedOperation } from '../operation/preparedOperation.ts';
import type { SelectionSet } from '../operation/selection.ts';
import type { SlicedWork } from '../time/inSlices.ts';
import { AnswerErrors } from './answerErrors.ts';
import { type ErrorPolicy, errorsPerPause } from './formatErrors.ts';
import type { DeferredResult, DeferredResults } from './incrementalPublisher.ts';
import { PathIndex } from './pathIndex.ts';
import { SentNulls } from './sentNulls.ts';
import { type DeferredInstance, type ShapedData, type ShapeOptions, shapeData } from './shape.ts';
import { type StaleExtension, StaleFields } from './staleExtension.ts';

export interface AnswerShapingOptions {
  readonly operation: PreparedOperation;
  readonly execution: Execution;
  readonly policy: ErrorPolicy;
  /** No payload has more. */
  readonly maxBytes: number;
}

/** What the first payload consists of. */
export interface FirstShape extends Omit<ShapedData, 'errors' | 'bytes'> {
  readonly errors: readonly GraphQLFormattedError[];
  readonly stale: StaleExtension | undefined;
}

/** A place of the answer that something comes to later than to its surroundings. */
export type FragmentPlace = Omit<DeferredInstance, 'fragment'>;

/** Makes what the client gets of one execution, in pieces: what has been told in one is not told again in another. */
export class AnswerShaping {
  readonly #options: AnswerShapingOptions;
  readonly #errors: AnswerErrors;
  readonly #stale: StaleFields;
  #sentNulls = new SentNulls();

  constructor(options: AnswerShapingOptions) {
    const { operation, execution, policy } = options;
    this.#options = options;
    this.#errors = new AnswerErrors(operation, execution, policy);
    this.#stale = new StaleFields(operation, execution);
  }

  /** All that is neither deferred nor late. `groups`: those that are complete.
   *  Errors: `OPERATION_TOO_COMPLEX` where it is too large. */
  *first(
    groups: ReadonlySet<number>,
    late: Pick<ShapeOptions, 'isLate' | 'keepsLists'> = {},
  ): SlicedWork<FirstShape> {
    const { operation, execution, maxBytes } = this.#options;
    const { root, rootType, supergraph } = operation;
    this.#sentNulls = new SentNulls();
    yield* this.#errors.read();
    const { errors: found, ...shaped } = yield* shapeData(
      supergraph.apiSchema,
      root,
      rootType,
      execution.tree,
      [],
      {
        causeOf: this.#errors.causeOf,
        maxBytes,
        sentNulls: this.#sentNulls,
        ...late,
      },
    );
    // It will be made anew: nothing counts as told.
    if (shaped.isTooEarly) return { ...shaped, errors: [], stale: undefined };
    const errors = yield* this.#errors.ofGroups(groups, found);
    const stale = yield* this.#stale.ofGroups(groups, [{ path: [], data: shaped.data }]);
    return { ...shaped, errors, stale };
  }

  /** A use of `@defer` at all its places. */
  fragment(group: number, set: SelectionSet, places: readonly FragmentPlace[]): SlicedWork<DeferredResults> {
    return this.#shape(new Set([group]), set, places, { sentNulls: this.#sentNulls });
  }

  /** What comes to places where the first payload had null for now. `groups`: those that it waited for. */
  late(
    groups: ReadonlySet<number>,
    set: SelectionSet,
    places: readonly FragmentPlace[],
  ): SlicedWork<DeferredResults> {
    return this.#shape(groups, set, places, {});
  }

  *#shape(
    groups: ReadonlySet<number>,
    set: SelectionSet,
    places: readonly FragmentPlace[],
    shaping: ShapeOptions,
  ): SlicedWork<DeferredResults> {
    const { operation, maxBytes } = this.#options;
    const errors = this.#errors;
    const { apiSchema } = operation.supergraph;
    yield* errors.read();
    const shaped: ShapedData[] = [];
    let leftBytes = maxBytes;
    for (const { object, type, path } of places) {
      const options = { ...shaping, causeOf: errors.causeOf, maxBytes: leftBytes };
      const one = yield* shapeData(apiSchema, set, type, object, path, options);
      leftBytes -= one.bytes;
      errors.tell(one.errors);
      shaped.push(one);
      if (shaped.length % placesPerPause === 0) yield;
    }
    const all = yield* errors.ofFetches(groups);
    const explained = yield* errors.placesOf(all);
    const byPlace = yield* assign(all, places);
    const results: DeferredResult[] = [];
    for (const [index, { data, errors: found, deferred }] of shaped.entries()) {
      const told = byPlace[index] ?? [];
      for (const error of yield* errors.format(found, explained)) told.push(error);
      if (data === null && told.length === 0) {
        const { path } = places[index] as FragmentPlace;
        const above = explained.firstOn(path);
        // What failed for a whole list, told for one of its places: a fragment that fails always says why.
        const reasons =
          above === undefined
            ? yield* errors.format(found, new PathIndex())
            : [{ ...(all[above] as GraphQLFormattedError), path }];
        told.push(...reasons.slice(0, 1));
      }
      results.push({ data, errors: told, deferred });
      if (results.length % placesPerPause === 0) yield;
    }
    const delivered = places.map(({ path }, index) => ({
      path,
      data: (results[index] as DeferredResult).data,
    }));
    return { results, stale: yield* this.#stale.ofGroups(groups, delivered) };
  }
}

/** Long lists pause after so many places. */
const placesPerPause = 200;

/** Gives each error to the place that its path leads into, or to the first one below its path. What is at none of
 *  the places is of one that became null before. Only places that have errors are filled. */
function* assign(
  errors: readonly GraphQLFormattedError[],
  all: readonly FragmentPlace[],
): SlicedWork<(GraphQLFormattedError[] | undefined)[]> {
  const byPlace: (GraphQLFormattedError[] | undefined)[] = [];
  if (errors.length === 0) return byPlace;
  const places = new PathIndex();
  for (const { path } of all) if (places.add(path) % placesPerPause === 0) yield;
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
