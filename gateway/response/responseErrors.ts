import type { GraphQLFormattedError } from 'graphql';
import type { ResponsePath } from '../errors.ts';
import type { Execution } from '../execution/execution.ts';
import type { ExecutionError } from '../execution/executionDiagnostics.ts';
import type { PreparedOperation } from '../operation/preparedOperation.ts';
import type { SlicedTask } from '../time/slicedTask.ts';
import { type ErrorPolicy, errorsPerSlice, formatExecutionError, formatShapeErrors } from './formatErrors.ts';
import { PathIndex } from './pathIndex.ts';
import type { ShapeError } from './shapeData.ts';
import { toClientPath } from './toClientPath.ts';

/** What the client learns of one execution's errors. A fetch that failed as a whole is told at each field that is
 *  missing because of it, as if the field had failed by itself; where none is missing, it is told once, at the
 *  objects that it was for. */
export class ResponseErrors {
  readonly #operation: PreparedOperation;
  readonly #execution: Execution;
  readonly #policy: ErrorPolicy;
  readonly #located: LocatedError[] = [];
  /** Fetches that failed as a whole, by the client's path of their objects. */
  readonly #failures = new Map<string, LocatedError[]>();
  readonly #reported = new Set<ExecutionError>();
  /** Of inputs that the client did not select: their paths end at the objects that they belong to. */
  readonly #inputErrors = new WeakSet<GraphQLFormattedError>();
  #readCount = 0;

  constructor(operation: PreparedOperation, execution: Execution, policy: ErrorPolicy) {
    this.#operation = operation;
    this.#execution = execution;
    this.#policy = policy;
  }

  /** What is to blame for a field that no subgraph brought, by the errors that have been read. */
  causeOf = (path: ResponsePath, internalName: string): ExecutionError | undefined => {
    if (this.#failures.size === 0) return undefined;
    for (let length = path.length - 1; length >= 0; length--) {
      const found = this.#failures
        .get(pathKey(path.slice(0, length)))
        ?.find(({ error }) => error.missing?.has(internalName));
      if (found !== undefined) return found.error;
    }
    return undefined;
  };

  /** The errors of delivery groups, after their data has been shaped, which found these. */
  *errorsOfGroups(
    groups: ReadonlySet<number>,
    found: readonly ShapeError[],
  ): SlicedTask<GraphQLFormattedError[]> {
    this.markReported(found);
    const errors = yield* this.errorsOfFetches(groups);
    for (const error of yield* this.format(found, yield* this.indexPaths(errors))) errors.push(error);
    return errors;
  }

  /** Notes which failures have been told at the fields that are missing. */
  markReported(found: readonly ShapeError[]): void {
    for (const error of found) if (error.kind === 'missing') this.#reported.add(error.cause);
  }

  /** The errors of delivery groups' fetches that are not told at the fields that are missing. */
  *errorsOfFetches(groups: ReadonlySet<number>): SlicedTask<GraphQLFormattedError[]> {
    yield* this.readNew();
    const formatted: GraphQLFormattedError[] = [];
    // Two subgraphs may fail for one field that they share.
    const known = new Set<string>();
    for (const [index, { error, path }] of this.#located.entries()) {
      if (index % errorsPerSlice === errorsPerSlice - 1) yield;
      if (!groups.has(error.group) || this.#reported.has(error)) continue;
      const one = formatExecutionError(error, path, this.#policy);
      const text = JSON.stringify(one);
      if (known.has(text)) continue;
      known.add(text);
      if (path.length < error.path.length) this.#inputErrors.add(one);
      formatted.push(one);
    }
    return formatted;
  }

  /** Where errors of `ofFetches` explain a null. That an input could not be had explains what its object lacks, and
   *  not what other objects further below lack. */
  *indexPaths(errors: readonly GraphQLFormattedError[]): SlicedTask<PathIndex> {
    const places = new PathIndex();
    for (const error of errors) {
      if (places.add(error.path ?? [], this.#inputErrors.has(error)) % errorsPerSlice === 0) yield;
    }
    return places;
  }

  format(found: readonly ShapeError[], explained: PathIndex): SlicedTask<GraphQLFormattedError[]> {
    return formatShapeErrors(found, explained, this.#policy);
  }

  /** Takes note of the execution's new errors: before something is shaped, which asks for what is to blame. */
  *readNew(): SlicedTask {
    const { errors, tree } = this.#execution;
    const { supergraph, root, rootType } = this.#operation;
    while (this.#readCount < errors.length) {
      const error = errors[this.#readCount++] as ExecutionError;
      if (this.#readCount % errorsPerSlice === 0) yield;
      const path = toClientPath(supergraph.apiSchema, root, rootType, tree, error.path);
      if (path === undefined) continue;
      const placed = { error, path };
      this.#located.push(placed);
      if (error.missing === undefined) continue;
      const key = pathKey(path);
      const same = this.#failures.get(key);
      if (same === undefined) this.#failures.set(key, [placed]);
      else same.push(placed);
    }
  }
}

interface LocatedError {
  readonly error: ExecutionError;
  readonly path: ResponsePath;
}

function pathKey(path: ResponsePath): string {
  return path.join('.');
}
