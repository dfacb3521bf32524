import { GatewayError, type ResponsePath } from '../errors.ts';
import type { SubgraphErrorEntry } from '../subgraphs/subgraphClient.ts';
import type { SlicedTask } from '../time/slicedTask.ts';
import type { EntityDiagnostic } from './entityTable.ts';
import type { FetchError, Staleness } from './fetchCall.ts';
import { collectTargetPaths, prefixBeforeLists } from './flattenPath.ts';
import type { FetchStep, Program } from './program.ts';
import { type ProgramIndex, programIndexOf } from './programIndex.ts';
import type { ResponseObject } from './responseTree.ts';
import { rewritePath } from './rewrites.ts';
import type { StaleValue } from './staleValue.ts';

/** An error of one fetch. Paths are in internal names; shaping turns them into the client's. */
export interface ExecutionError {
  readonly path: ResponsePath;
  readonly subgraph: string;
  /** The subgraph's own error, or one of the gateway about the fetch. */
  readonly reason: SubgraphErrorEntry | GatewayError;
  /** Index of the step that it befell. */
  readonly step: number;
  /** The delivery group whose payload carries it. */
  readonly group: number;
  /** For what failed as a whole: names of the fields below `path` that are missing because of it, in the fetch
   *  itself and in those that wait for it. The answer tells it at each of these places. */
  readonly missing: ReadonlySet<string> | undefined;
}

/** Who is told of the gateway's own faults. */
export interface FaultListener {
  /** The fetch that it befell has failed. */
  onInternalError(cause: unknown): void;
}

/** An object that a step waits for, and what there is to tell about its entity. */
export interface TargetDiagnostics {
  readonly object: ResponseObject;
  readonly diagnostics: readonly EntityDiagnostic[];
}

/** What is told about one execution besides its data, each at its place in the response tree: errors, and values
 *  that are older than they should be. */
export class ExecutionDiagnostics {
  readonly errors: ExecutionError[];
  readonly staleValues: StaleValue[] = [];
  readonly #tree: ResponseObject;
  readonly #program: Program;
  readonly #programIndex: ProgramIndex;
  readonly #faults: FaultListener;

  /** `errors`: those that there are already. */
  constructor(
    tree: ResponseObject,
    program: Program,
    errors: readonly ExecutionError[],
    faults: FaultListener,
  ) {
    this.errors = [...errors];
    this.#tree = tree;
    this.#program = program;
    this.#programIndex = programIndexOf(program);
    this.#faults = faults;
  }

  /** The errors that a subgraph told about a fetch of root fields. */
  *addRootErrors(step: FetchStep, errors: readonly FetchError[]): SlicedTask {
    if (errors.length === 0) return;
    const places = [...(yield* collectTargetPaths(this.#tree, step.path)).values()].flat();
    let left = errorsPerSlice;
    for (const { entry, path } of errors) {
      left -= places.length;
      if (left <= 0) {
        left = errorsPerSlice;
        yield;
      }
      const renamed = rewritePath(step.shape.outputRewrites, path);
      for (const place of places) {
        if (path.length === 0) this.addFailure(step, entry, place);
        else this.#addError(step, entry, [...place, ...renamed]);
      }
    }
  }

  /** `stale`: root fields by their names in the fetch. */
  *addStaleFields(step: FetchStep, stale: ReadonlyMap<number | string, Staleness>): SlicedTask {
    const places = [...(yield* collectTargetPaths(this.#tree, step.path)).values()].flat();
    for (const [name, staleness] of stale) {
      const [renamed] = rewritePath(step.shape.outputRewrites, [name]);
      if (renamed === undefined) continue;
      for (const place of places) {
        this.staleValues.push({ ...staleness, path: [...place, renamed], group: step.group });
      }
    }
  }

  /** One error for each place of an entity, and one for each problem of the whole fetch. */
  *addEntityDiagnostics(step: FetchStep, troubled: readonly TargetDiagnostics[]): SlicedTask {
    const prefix = prefixBeforeLists(step.path);
    const places = yield* collectTargetPaths(this.#tree, step.path);
    const told = new Set<unknown>();
    let untilPause = errorsPerSlice;
    for (const { object, diagnostics } of troubled) {
      untilPause -= 1 + diagnostics.length;
      if (untilPause <= 0) {
        untilPause = errorsPerSlice;
        yield;
      }
      const isNew = !told.has(object);
      told.add(object);
      for (const problem of diagnostics) {
        if ('staleness' in problem) {
          if (isNew) this.#addStaleEntity(step, places.get(object) ?? [], problem.staleness);
          continue;
        }
        const { reason, path } = problem;
        if (path === undefined) {
          if (!told.has(reason)) this.addFailure(step, reason, prefix);
          told.add(reason);
        } else if (isNew) {
          for (const place of places.get(object) ?? []) {
            if (path.length === 0) this.addFailure(step, reason, place);
            else this.#addError(step, reason, [...place, ...path]);
          }
        }
      }
    }
  }

  /** Nothing came of all that the fetch should have brought for the objects at `path`. */
  addFailure(
    step: FetchStep,
    reason: ExecutionError['reason'],
    path: ResponsePath = prefixBeforeLists(step.path),
  ): void {
    this.#add(step, reason, path, this.#missingFieldsOf(step));
  }

  /** A fault of the gateway's own, unless the answer was more than it can walk through. */
  addInternalError(step: FetchStep, cause: unknown): void {
    // Walking through an answer recurses as deep as the answer is.
    if (cause instanceof RangeError) {
      this.addInvalidResponse(step, "the answer's objects or lists are nested too deep");
      return;
    }
    this.#faults.onInternalError(cause);
    this.addFailure(step, new GatewayError('INTERNAL_SERVER_ERROR', 'Internal server error', { cause }));
  }

  addInvalidResponse(step: FetchStep, cause: string): void {
    this.addFailure(step, invalidStepResponse(step, cause));
  }

  #addStaleEntity(step: FetchStep, places: readonly ResponsePath[], staleness: Staleness): void {
    for (const place of places) {
      for (const key of step.shape.keys) {
        if (key === '__typename') continue;
        this.staleValues.push({ ...staleness, path: [...place, key], group: step.group });
      }
    }
  }

  #addError(step: FetchStep, reason: ExecutionError['reason'], path: ResponsePath): void {
    this.#add(step, reason, path, undefined);
  }

  #add(
    step: FetchStep,
    reason: ExecutionError['reason'],
    path: ResponsePath,
    missing: ReadonlySet<string> | undefined,
  ): void {
    const { index, group, shape } = step;
    this.errors.push({ path, subgraph: shape.subgraph, reason, step: index, group, missing });
  }

  #missingFieldsOf(step: FetchStep): ReadonlySet<string> {
    const known = this.#programIndex.missingFieldsByStep[step.index];
    if (known !== undefined) return known;
    const { steps } = this.#program;
    const lost = new Set<string>();
    const seen = new Set<number>();
    const open = [step.index];
    for (let index = open.pop(); index !== undefined; index = open.pop()) {
      if (seen.has(index)) continue;
      seen.add(index);
      for (const key of (steps[index] as FetchStep).shape.keysAtAnyDepth) lost.add(key);
      open.push(...(this.#programIndex.dependents[index] ?? []));
    }
    this.#programIndex.missingFieldsByStep[step.index] = lost;
    return lost;
  }
}

export function invalidStepResponse(step: FetchStep, cause: string): GatewayError {
  return new GatewayError('SUBGRAPH_INVALID_RESPONSE', 'A subgraph answered with what is no valid answer.', {
    subgraph: step.shape.subgraph,
    cause,
  });
}

/** Long lists of errors pause after so many. */
export const errorsPerSlice = 200;
