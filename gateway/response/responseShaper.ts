import type { GraphQLFormattedError } from 'graphql';
import type { Execution } from '../execution/execution.ts';
import type { PreparedOperation } from '../operation/preparedOperation.ts';
import type { SelectionSet } from '../operation/selection.ts';
import type { SlicedTask } from '../time/slicedTask.ts';
import { type ErrorPolicy, errorsPerSlice } from './formatErrors.ts';
import type { PayloadData } from './incrementalFormats.ts';
import type { DeferredResult, DeferredResults } from './incrementalPublisher.ts';
import { PathIndex } from './pathIndex.ts';
import { PayloadWriter } from './payloadWriter.ts';
import { ResponseErrors } from './responseErrors.ts';
import { SentNulls } from './sentNulls.ts';
import { SentObjects } from './sentObjects.ts';
import { type DeferredInstance, type ShapeDataOptions, type ShapedData, shapeData } from './shapeData.ts';
import { type StaleExtension, StaleFields } from './staleExtension.ts';

interface ResponseShaperOptions {
  readonly operation: PreparedOperation;
  readonly execution: Execution;
  readonly policy: ErrorPolicy;
  /** Largest payload. */
  readonly maxBytes: number;
}

/** The content of the first payload. */
export interface ShapedFirstPayload extends Omit<ShapedData, 'data' | 'errors' | 'bytes'> {
  readonly data: PayloadData;
  readonly errors: readonly GraphQLFormattedError[];
  readonly stale: StaleExtension | undefined;
}

/** An object of the response whose deferred or pending fields follow later. */
type ResponsePosition = Omit<DeferredInstance, 'fragment'>;

/** Shapes the payloads of one execution. An error or stale value that one payload reports is not reported again. */
export class ResponseShaper {
  readonly #options: ResponseShaperOptions;
  readonly #errors: ResponseErrors;
  readonly #staleFields: StaleFields;
  #sentNulls = new SentNulls();
  /** Created for the first payload after the first one. */
  #sentObjects: SentObjects | undefined;

  constructor(options: ResponseShaperOptions) {
    const { operation, execution, policy, maxBytes } = options;
    this.#options = options;
    this.#errors = new ResponseErrors(operation, execution, policy, maxBytes);
    this.#staleFields = new StaleFields(operation, execution);
  }

  /** Shapes everything that is neither deferred nor pending. `groups`: those that are complete.
   *  @throws {GatewayError} `OPERATION_TOO_COMPLEX` beyond `maxBytes`. */
  *shapeFirst(
    groups: ReadonlySet<number>,
    options: Pick<ShapeDataOptions, 'isPending' | 'keepsListsWhole'> = {},
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
        causeOf: this.#errors.causeFinder(),
        maxBytes,
        sentNulls: this.#sentNulls,
        names: supergraph.names,
        ...options,
      },
    );
    // The caller shapes the response again: nothing counts as reported.
    if (shaped.isBlockedByPending) return { ...shaped, errors: [], stale: undefined };
    const errors = yield* this.#errors.errorsOfGroups(groups, found, shaped);
    const stale = yield* this.#staleFields.extensionOfGroups(groups, [{ path: [], data: shaped.data }]);
    return { ...shaped, errors, stale };
  }

  /** Returns what `shapeFirst` does if generated code can write the payload, otherwise `undefined`. */
  writeFirst(
    groups: ReadonlySet<number>,
    pendingGroups: ReadonlySet<number>,
  ): ShapedFirstPayload | undefined {
    const { operation, execution, maxBytes } = this.#options;
    const written = PayloadWriter.forOperation(operation).writeFirst(execution, pendingGroups, maxBytes);
    if (written === undefined) return undefined;
    this.#staleFields.markDelivered(groups);
    return { ...written, isBlockedByPending: false, errors: [], stale: undefined };
  }

  /** Shapes a use of `@defer` at all its objects. `mayReplaceObjects`: see `PayloadFormat`. */
  *shapeFragment(
    group: number,
    set: SelectionSet,
    positions: readonly ResponsePosition[],
    mayReplaceObjects: boolean,
  ): SlicedTask<DeferredResults> {
    const groups = new Set([group]);
    const written = this.#sentNulls.isEmpty ? this.#writeAtPositions(groups, set, positions) : undefined;
    const options = {
      sentNulls: this.#sentNulls,
      sentObjects: mayReplaceObjects ? undefined : this.#sentObjectsSoFar(),
    };
    const shaped = written ?? (yield* this.#shapeAtPositions(groups, set, positions, options));
    if (!mayReplaceObjects) this.#recordSent(set, positions, shaped);
    return shaped;
  }

  /** `shapePending` for a payload of the same response. `mayReplaceObjects`: see `PayloadFormat`. */
  *shapeStreamed(
    groups: ReadonlySet<number>,
    set: SelectionSet,
    positions: readonly ResponsePosition[],
    mayReplaceObjects: boolean,
  ): SlicedTask<DeferredResults> {
    const shaped =
      this.#writeAtPositions(groups, set, positions) ?? (yield* this.shapePending(groups, set, positions));
    if (!mayReplaceObjects) this.#recordSent(set, positions, shaped);
    return shaped;
  }

  #sentObjectsSoFar(): SentObjects {
    if (this.#sentObjects === undefined) {
      const { root, rootType, supergraph } = this.#options.operation;
      this.#sentObjects = new SentObjects(supergraph.apiSchema);
      this.#sentObjects.add(root, [{ object: this.#options.execution.tree, type: rootType, path: [] }]);
    }
    return this.#sentObjects;
  }

  #recordSent(set: SelectionSet, positions: readonly ResponsePosition[], { results }: DeferredResults): void {
    const isComplete = results.every(({ data }) => data !== null);
    this.#sentObjectsSoFar().add(
      set,
      isComplete ? positions : positions.filter((_, index) => results[index]?.data !== null),
    );
  }

  /** Shapes fields that were pending in the first payload. `groups`: those that the fields waited for. */
  shapePending(
    groups: ReadonlySet<number>,
    set: SelectionSet,
    positions: readonly ResponsePosition[],
  ): SlicedTask<DeferredResults<ShapedData['data']>> {
    return this.#shapeAtPositions(groups, set, positions, {});
  }

  #writeAtPositions(
    groups: ReadonlySet<number>,
    set: SelectionSet,
    positions: readonly ResponsePosition[],
  ): DeferredResults<string> | undefined {
    const { operation, execution, maxBytes } = this.#options;
    const written = PayloadWriter.forOperation(operation).writeFragment(execution, set, positions, maxBytes);
    if (written === undefined) return undefined;
    this.#staleFields.markDelivered(groups);
    return {
      results: written.map(({ data, deferred }) => ({ data, errors: [], deferred })),
      stale: undefined,
    };
  }

  *#shapeAtPositions(
    groups: ReadonlySet<number>,
    set: SelectionSet,
    positions: readonly ResponsePosition[],
    shaping: ShapeDataOptions,
  ): SlicedTask<DeferredResults<ShapedData['data']>> {
    const { operation, maxBytes } = this.#options;
    const errors = this.#errors;
    const { apiSchema, names } = operation.supergraph;
    yield* errors.readNew();
    const causeOf = errors.causeFinder(groups);
    const shaped: ShapedData[] = [];
    let remainingBytes = maxBytes;
    for (const { object, type, path } of positions) {
      const options = { ...shaping, causeOf, maxBytes: remainingBytes, names };
      const data = yield* shapeData(apiSchema, set, type, object, path, options);
      remainingBytes -= data.bytes;
      errors.markReported(data.errors);
      shaped.push(data);
      if (shaped.length % positionsPerSlice === 0) yield;
    }
    const all = yield* errors.errorsOfFetches(groups, maxBytes - remainingBytes);
    const explained = yield* errors.indexPaths(all);
    const byPosition = yield* assignErrors(all, positions);
    const results: DeferredResult<ShapedData['data']>[] = [];
    for (const [index, { data, errors: found, deferred }] of shaped.entries()) {
      const reported = byPosition[index] ?? [];
      for (const error of yield* errors.format(found, explained)) reported.push(error);
      if (data === null && reported.length === 0) {
        const { path } = positions[index] as ResponsePosition;
        const above = explained.firstPrefixOf(path);
        // A fragment that failed always has an error: that of the list above it, if it has none of its own.
        const reasons =
          above === undefined
            ? yield* errors.format(found, new PathIndex())
            : [{ ...(all[above] as GraphQLFormattedError), path }];
        reported.push(...reasons.slice(0, 1));
      }
      results.push({ data, errors: reported, deferred });
      if (results.length % positionsPerSlice === 0) yield;
    }
    const delivered = positions.map(({ path }, index) => ({
      path,
      data: (results[index] as DeferredResult<ShapedData['data']>).data,
    }));
    return { results, stale: yield* this.#staleFields.extensionOfGroups(groups, delivered) };
  }
}

/** Long lists pause after so many objects. */
const positionsPerSlice = 200;

/** Assigns each error to the position that its path leads into. An error above the positions, such as that of a value from
 *  context, gets the path of the first one below: an error of a fragment is within it. An error without a position belongs to
 *  an object that became null before. Positions without errors stay `undefined`. */
function* assignErrors(
  errors: readonly GraphQLFormattedError[],
  positions: readonly ResponsePosition[],
): SlicedTask<(GraphQLFormattedError[] | undefined)[]> {
  const byPosition: (GraphQLFormattedError[] | undefined)[] = [];
  if (errors.length === 0) return byPosition;
  const paths = new PathIndex();
  for (const { path } of positions) if (paths.add(path) % positionsPerSlice === 0) yield;
  for (const [number, error] of errors.entries()) {
    if (number % errorsPerSlice === errorsPerSlice - 1) yield;
    const path = error.path ?? [];
    const around = paths.firstPrefixOf(path);
    const index = around ?? paths.firstWithPrefix(path);
    if (index === undefined) continue;
    const located =
      around === undefined ? { ...error, path: (positions[index] as ResponsePosition).path } : error;
    const ofPosition = byPosition[index];
    if (ofPosition === undefined) byPosition[index] = [located];
    else ofPosition.push(located);
  }
  return byPosition;
}
