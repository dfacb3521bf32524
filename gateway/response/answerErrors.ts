import type { GraphQLFormattedError } from 'graphql';
import type { ResponsePath } from '../errors.ts';
import type { Execution, ExecutionError } from '../execution/execution.ts';
import type { PreparedOperation } from '../operation/preparedOperation.ts';
import { toClientPath } from './clientPath.ts';
import { type ErrorPolicy, formatExecutionError, formatShapeErrors } from './formatErrors.ts';
import type { ShapeError } from './shape.ts';

/** What the client learns of one execution's errors. A fetch that failed as a whole is told at each field that is
 *  missing because of it, as if the field had failed by itself; where none is missing, it is told once, at the
 *  objects that it was for. */
export class AnswerErrors {
  readonly #operation: PreparedOperation;
  readonly #execution: Execution;
  readonly #policy: ErrorPolicy;
  readonly #placed: PlacedError[] = [];
  /** Fetches that failed as a whole, by the client's path of their objects. */
  readonly #failures = new Map<string, PlacedError[]>();
  readonly #told = new Set<ExecutionError>();
  #read = 0;

  constructor(operation: PreparedOperation, execution: Execution, policy: ErrorPolicy) {
    this.#operation = operation;
    this.#execution = execution;
    this.#policy = policy;
  }

  /** What is to blame for a field that no subgraph brought. */
  causeOf = (path: ResponsePath, internalName: string): ExecutionError | undefined => {
    this.#readNew();
    if (this.#failures.size === 0) return undefined;
    for (let length = path.length - 1; length >= 0; length--) {
      const found = this.#failures
        .get(pathKey(path.slice(0, length)))
        ?.find(({ error }) => error.missing?.has(internalName));
      if (found !== undefined) return found.error;
    }
    return undefined;
  };

  /** The errors of a delivery group, after its data has been shaped, which found these. */
  ofGroup(group: number, found: readonly ShapeError[]): GraphQLFormattedError[] {
    this.tell(found);
    const errors = this.ofFetches(group);
    return [...errors, ...this.format(found, errors)];
  }

  /** Notes which failures have been told at the fields that are missing. */
  tell(found: readonly ShapeError[]): void {
    for (const error of found) if (error.kind === 'missing') this.#told.add(error.cause);
  }

  /** The errors of a delivery group's fetches that are not told at the fields that are missing. */
  ofFetches(group: number): GraphQLFormattedError[] {
    this.#readNew();
    return this.#placed
      .filter(({ error }) => error.group === group && !this.#told.has(error))
      .map(({ error, path }) => formatExecutionError(error, path, this.#policy));
  }

  format(found: readonly ShapeError[], explained: readonly GraphQLFormattedError[]): GraphQLFormattedError[] {
    return formatShapeErrors(found, explained, this.#policy);
  }

  #readNew(): void {
    const { errors, tree } = this.#execution;
    const { supergraph, root, rootType } = this.#operation;
    for (; this.#read < errors.length; this.#read++) {
      const error = errors[this.#read] as ExecutionError;
      const path = toClientPath(supergraph.apiSchema, root, rootType, tree, error.path);
      if (path === undefined) continue;
      const placed = { error, path };
      this.#placed.push(placed);
      if (error.missing === undefined) continue;
      const key = pathKey(path);
      const same = this.#failures.get(key);
      if (same === undefined) this.#failures.set(key, [placed]);
      else same.push(placed);
    }
  }
}

interface PlacedError {
  readonly error: ExecutionError;
  readonly path: ResponsePath;
}

function pathKey(path: ResponsePath): string {
  return path.join('.');
}
