import type { GraphQLFormattedError } from 'graphql';
import { describeCause, type ResponsePath } from '../errors.ts';
import type { Execution } from '../execution/execution.ts';
import type { ExecutionError } from '../execution/executionDiagnostics.ts';
import { InvalidDataError } from '../execution/invalidDataError.ts';
import type { PreparedOperation } from '../operation/preparedOperation.ts';
import { getOrInsertComputed } from '../sharing/getOrInsertComputed.ts';
import type { SlicedTask } from '../time/slicedTask.ts';
import { type ClientPath, toClientPath, toInternalPath } from './clientPaths.ts';
import { type ErrorPolicy, errorsPerSlice, formatExecutionError, formatShapeErrors } from './formatErrors.ts';
import { PathIndex } from './pathIndex.ts';
import { responseTooLargeError } from './responseChunks.ts';
import type { FindCause, ShapedData } from './shapeData.ts';
import type { InvalidValue, ShapeError } from './shapeErrors.ts';

/** The errors of one execution as the client gets them. The error of a whole fetch is reported at each field that is
 *  missing because of it, as if the field had failed by itself. If no field is missing, the error is reported once, at
 *  the objects that the fetch was for. */
export class ResponseErrors {
  readonly #operation: PreparedOperation;
  readonly #execution: Execution;
  readonly #policy: ErrorPolicy;
  readonly #located: LocatedError[] = [];
  /** Errors of whole fetches, by the client's path of their objects. */
  readonly #failures = new Map<string, LocatedError[]>();
  readonly #reported = new Set<ExecutionError>();
  /** Errors of inputs that the client did not select: their paths end at the objects that the inputs belong to. */
  readonly #inputErrors = new WeakSet<GraphQLFormattedError>();
  readonly #maxBytes: number;
  /** Lower bound of the size of the payload so far. */
  #bytes = 0;
  #readCount = 0;

  /** `maxBytes`: largest payload. */
  constructor(operation: PreparedOperation, execution: Execution, policy: ErrorPolicy, maxBytes: number) {
    this.#operation = operation;
    this.#execution = execution;
    this.#policy = policy;
    this.#maxBytes = maxBytes;
  }

  /** Returns a function that finds the error because of which a field is missing, among those that `readNew` has read.
   *  `groups`: the delivery groups of a payload after the first one. */
  causeFinder(groups?: ReadonlySet<number>): FindCause {
    return (path, internalName) => {
      if (this.#failures.size === 0) return undefined;
      for (let length = path.length - 1; length >= 0; length--) {
        const found = this.#failures
          .get(pathKey(path.slice(0, length)))
          ?.find(
            ({ error, nullBy }) =>
              error.missing?.has(internalName) && !nullBy?.some((other) => this.#isReportedIn(other, groups)),
          );
        if (found !== undefined) return found.error;
      }
      return undefined;
    };
  }

  /** Whether a payload that has the field of an error also reports the error. */
  #isReportedIn(
    { error, groups, reportingGroups }: LocatedError,
    payload: ReadonlySet<number> | undefined,
  ): boolean {
    return (
      !this.#reported.has(error) &&
      reportingGroups.some((group) => payload?.has(group) && groups.includes(group))
    );
  }

  /** Returns the errors of delivery groups whose data has been shaped. `found`: the errors of the shaping. If the data is
   *  null, the error of several root fields is reported at the first one only.
   *  @throws {GatewayError} `OPERATION_TOO_COMPLEX` for a payload that is too large. */
  *errorsOfGroups(
    groups: ReadonlySet<number>,
    found: readonly ShapeError[],
    { data, bytes }: Pick<ShapedData, 'data' | 'bytes'>,
  ): SlicedTask<GraphQLFormattedError[]> {
    this.markReported(found);
    const errors = yield* this.errorsOfFetches(groups, bytes, data === null);
    for (const error of yield* this.format(found, yield* this.indexPaths(errors))) errors.push(error);
    return errors;
  }

  /** Marks failures that are reported at the missing fields. */
  markReported(found: readonly ShapeError[]): void {
    for (const error of found) if (error.kind === 'missing') this.#reported.add(error.cause);
  }

  /** Returns the errors of delivery groups' fetches that are not reported at missing fields. To be called after `readNew` and
   *  before `format` for each payload. `dataBytes`: size of the payload's data.
   *  @throws {GatewayError} `OPERATION_TOO_COMPLEX` for a payload that is too large. */
  *errorsOfFetches(
    groups: ReadonlySet<number>,
    dataBytes: number,
    isDataNull = false,
  ): SlicedTask<GraphQLFormattedError[]> {
    this.#bytes = dataBytes;
    const formatted: GraphQLFormattedError[] = [];
    // Two subgraphs may fail for one field that they share.
    const texts = new Set<string>();
    const reasons = new Set<ExecutionError['reason']>();
    for (const [index, known] of this.#located.entries()) {
      if (index % errorsPerSlice === errorsPerSlice - 1) yield;
      const { error } = known;
      if (this.#reported.has(error)) continue;
      // The error may have been read for an earlier payload, before the type of an object on its path was known.
      const located = known.hasUnknownType ? this.#locate(error) : known;
      if (located === undefined || !located.reportingGroups.some((group) => groups.has(group))) continue;
      const { path } = located;
      if (isDataNull && path.length === 1 && reasons.has(error.reason)) continue;
      reasons.add(error.reason);
      const formattedError = formatExecutionError(error, path, this.#policy);
      const text = JSON.stringify(formattedError);
      if (texts.has(text)) continue;
      texts.add(text);
      this.#countBytes(text);
      if (path.length < error.path.length) this.#inputErrors.add(formattedError);
      formatted.push(formattedError);
    }
    return formatted;
  }

  /** Indexes the paths at which `errors` explain a null. The error of a missing input explains the missing fields of its
   *  object, and not those of objects further below. */
  *indexPaths(errors: readonly GraphQLFormattedError[]): SlicedTask<PathIndex> {
    const paths = new PathIndex();
    for (const error of errors) {
      if (paths.add(error.path ?? [], this.#inputErrors.has(error)) % errorsPerSlice === 0) yield;
    }
    return paths;
  }

  /** @throws {GatewayError} `OPERATION_TOO_COMPLEX` for a payload that is too large. */
  *format(found: readonly ShapeError[], explained: PathIndex): SlicedTask<GraphQLFormattedError[]> {
    const { access } = this.#operation;
    const formatted = yield* formatShapeErrors(
      found,
      explained,
      this.#policy,
      (error) => this.#attribute(error),
      access?.code ?? 'FORBIDDEN',
    );
    for (const [index, error] of formatted.entries()) {
      if (index % errorsPerSlice === errorsPerSlice - 1) yield;
      this.#countBytes(JSON.stringify(error));
    }
    return formatted;
  }

  /** The error of one fetch may be at many fields, with the message and the extensions of the subgraph. */
  #countBytes({ length }: string): void {
    this.#bytes += length;
    if (this.#bytes > this.#maxBytes) throw responseTooLargeError(this.#maxBytes);
  }

  /** Returns the subgraph that returned the value, or that left it out, and reports the problem to the log. */
  #attribute({ message, path, object }: InvalidValue): string | undefined {
    const { root } = this.#operation;
    const internalPath = toInternalPath(root, this.#execution.tree, path).join('.');
    const source = this.#execution.sourceOf(internalPath, object);
    if (source !== undefined)
      this.#policy.onInvalidData?.(source.subgraph, `${message} At: ${source.path.slice(0, 200)}`);
    return source?.subgraph;
  }

  /** Reads the execution's new errors. Called before data is shaped, which uses `causeFinder`. */
  *readNew(): SlicedTask {
    const { errors } = this.#execution;
    const lost: (readonly [object: string, LocatedError])[] = [];
    const byNonNull: typeof lost = [];
    const nullBy = new Map<string, LocatedError[]>();
    while (this.#readCount < errors.length) {
      const error = errors[this.#readCount++] as ExecutionError;
      const { reason } = error;
      if (reason instanceof InvalidDataError)
        this.#policy.onInvalidData?.(error.subgraph, describeCause(reason) ?? reason.message);
      if (this.#readCount % errorsPerSlice === 0) yield;
      const { missing, lostObject } = error;
      const located = this.#locate(error);
      if (located !== undefined) this.#located.push(located);
      if (lostObject === undefined) {
        if (located !== undefined && missing !== undefined) this.#addFailure(located);
        continue;
      }
      const object = this.#locate({ ...error, path: lostObject });
      if (object === undefined) continue;
      const key = `${error.step} ${pathKey(lostObject)}`;
      // If a field that failed makes the object null, nothing else of it is missing. It does not if the API schema allows null,
      // in payloads without the field, or if the client selected it for other types only: a subgraph with an @interfaceObject
      // fetches it for all objects.
      if (located?.isNullable[lostObject.length] === false) {
        getOrInsertComputed(nullBy, key, () => []).push(located);
        // The entity is null because of this error rather than because of others.
        byNonNull.push([key, { ...object, error }]);
      } else lost.push([key, { ...object, error }]);
    }
    for (const [key, object] of [...byNonNull, ...lost]) {
      const others = nullBy.get(key) ?? [];
      const isNull = object.groups.every((group) => others.some(({ groups }) => groups.includes(group)));
      if (!isNull) this.#addFailure({ ...object, nullBy: others });
    }
  }

  #addFailure(located: LocatedError): void {
    const key = pathKey(located.path);
    const same = this.#failures.get(key);
    if (same === undefined) this.#failures.set(key, [located]);
    else same.push(located);
  }

  #locate(error: ExecutionError): LocatedError | undefined {
    const { supergraph, root, rootType } = this.#operation;
    const located = toClientPath(supergraph.apiSchema, root, rootType, this.#execution.tree, error.path);
    if (located === undefined) return undefined;
    const { groups } = located;
    // A fetch may provide a deferred field before its group, and may be later than a field around its own.
    return {
      ...located,
      error,
      reportingGroups: groups.every((group) => group > error.group) ? groups : [error.group],
    };
  }
}

interface LocatedError extends ClientPath {
  readonly error: ExecutionError;
  /** Delivery groups of the payloads that report the error. */
  readonly reportingGroups: readonly number[];
  /** Of a lost object: the errors of its fields that make it null in the payloads that have these fields. */
  readonly nullBy?: readonly LocatedError[];
}

function pathKey(path: ResponsePath): string {
  return path.join('.');
}
