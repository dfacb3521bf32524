import type { GraphQLFormattedError } from 'graphql';
import type { Execution } from '../execution/execution.ts';
import type { PreparedOperation } from '../operation/preparedOperation.ts';
import type { SelectionSet } from '../operation/selection.ts';
import type { SlicedTask } from '../time/slicedTask.ts';
import { type ErrorPolicy, errorsPerSlice } from './formatErrors.ts';
import type { DeferredResult, DeferredResults } from './incrementalPublisher.ts';
import { PathIndex } from './pathIndex.ts';
import { ResponseErrors } from './responseErrors.ts';
import { SentNulls } from './sentNulls.ts';
import { type DeferredInstance, type ShapeDataOptions, type ShapedData, shapeData } from './shapeData.ts';
import { type StaleExtension, StaleFields } from './staleExtension.ts';

interface ResponseShaperOptions {
  readonly operation: PreparedOperation;
  readonly execution: Execution;
  readonly policy: ErrorPolicy;
  /** No payload has more. */
  readonly maxBytes: number;
}

/** What the first payload consists of. */
export interface ShapedFirstPayload extends Omit<ShapedData, 'errors' | 'bytes'> {
  readonly errors: readonly GraphQLFormattedError[];
  readonly stale: StaleExtension | undefined;
}

/** A place of the answer that something comes to later than to its surroundings. */
type ResponsePosition = Omit<DeferredInstance, 'fragment'>;

/** Makes what the client gets of one execution, in pieces: what has been told in one is not told again in another. */
export class ResponseShaper {
  readonly #options: ResponseShaperOptions;
  readonly #errors: ResponseErrors;
  readonly #staleFields: StaleFields;
  #sentNulls = new SentNulls();

  constructor(options: ResponseShaperOptions) {
    const { operation, execution, policy } = options;
    this.#options = options;
    this.#errors = new ResponseErrors(operation, execution, policy);
    this.#staleFields = new StaleFields(operation, execution);
  }

  /** All that is neither deferred nor late. `groups`: those that are complete.
   *  Errors: `OPERATION_TOO_COMPLEX` where it is too large. */
  *shapeFirst(
    groups: ReadonlySet<number>,
    late: Pick<ShapeDataOptions, 'isPending' | 'keepsListsWhole'> = {},
  ): SlicedTask<ShapedFirstPayload> {
    const { operation, execution, maxBytes } = this.#options;
    const { root, rootType, supergraph } = operation;
    this.#sentNulls = new SentNulls();
    yield* this.#errors.readNew();
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
    if (shaped.isBlockedByPending) return { ...shaped, errors: [], stale: undefined };
    const errors = yield* this.#errors.errorsOfGroups(groups, found);
    const stale = yield* this.#staleFields.extensionOfGroups(groups, [{ path: [], data: shaped.data }]);
    return { ...shaped, errors, stale };
  }

  /** A use of `@defer` at all its places. */
  shapeFragment(
    group: number,
    set: SelectionSet,
    places: readonly ResponsePosition[],
  ): SlicedTask<DeferredResults> {
    return this.#shapeAtPositions(new Set([group]), set, places, { sentNulls: this.#sentNulls });
  }

  /** What comes to places where the first payload had null for now. `groups`: those that it waited for. */
  shapePending(
    groups: ReadonlySet<number>,
    set: SelectionSet,
    places: readonly ResponsePosition[],
  ): SlicedTask<DeferredResults> {
    return this.#shapeAtPositions(groups, set, places, {});
  }

  *#shapeAtPositions(
    groups: ReadonlySet<number>,
    set: SelectionSet,
    places: readonly ResponsePosition[],
    shaping: ShapeDataOptions,
  ): SlicedTask<DeferredResults> {
    const { operation, maxBytes } = this.#options;
    const errors = this.#errors;
    const { apiSchema } = operation.supergraph;
    yield* errors.readNew();
    const shaped: ShapedData[] = [];
    let leftBytes = maxBytes;
    for (const { object, type, path } of places) {
      const options = { ...shaping, causeOf: errors.causeOf, maxBytes: leftBytes };
      const one = yield* shapeData(apiSchema, set, type, object, path, options);
      leftBytes -= one.bytes;
      errors.markReported(one.errors);
      shaped.push(one);
      if (shaped.length % positionsPerSlice === 0) yield;
    }
    const all = yield* errors.errorsOfFetches(groups);
    const explained = yield* errors.indexPaths(all);
    const byPlace = yield* assignErrors(all, places);
    const results: DeferredResult[] = [];
    for (const [index, { data, errors: found, deferred }] of shaped.entries()) {
      const told = byPlace[index] ?? [];
      for (const error of yield* errors.format(found, explained)) told.push(error);
      if (data === null && told.length === 0) {
        const { path } = places[index] as ResponsePosition;
        const above = explained.firstPrefixOf(path);
        // What failed for a whole list, told for one of its places: a fragment that fails always says why.
        const reasons =
          above === undefined
            ? yield* errors.format(found, new PathIndex())
            : [{ ...(all[above] as GraphQLFormattedError), path }];
        told.push(...reasons.slice(0, 1));
      }
      results.push({ data, errors: told, deferred });
      if (results.length % positionsPerSlice === 0) yield;
    }
    const delivered = places.map(({ path }, index) => ({
      path,
      data: (results[index] as DeferredResult).data,
    }));
    return { results, stale: yield* this.#staleFields.extensionOfGroups(groups, delivered) };
  }
}

/** Long lists pause after so many places. */
const positionsPerSlice = 200;

/** Gives each error to the place that its path leads into, or to the first one below its path. What is at none of
 *  the places is of one that became null before. Only places that have errors are filled. */
function* assignErrors(
  errors: readonly GraphQLFormattedError[],
  all: readonly ResponsePosition[],
): SlicedTask<(GraphQLFormattedError[] | undefined)[]> {
  const byPlace: (GraphQLFormattedError[] | undefined)[] = [];
  if (errors.length === 0) return byPlace;
  const places = new PathIndex();
  for (const { path } of all) if (places.add(path) % positionsPerSlice === 0) yield;
  for (const [number, error] of errors.entries()) {
    if (number % errorsPerSlice === errorsPerSlice - 1) yield;
    const path = error.path ?? [];
    const index = places.firstPrefixOf(path) ?? places.firstWithPrefix(path);
    if (index === undefined) continue;
    const ofPlace = byPlace[index];
    if (ofPlace === undefined) byPlace[index] = [error];
    else ofPlace.push(error);
  }
  return byPlace;
}
