import { GatewayError, type ResponsePath } from '../errors.ts';
import type { SubgraphErrorEntry } from '../subgraphs/subgraphClient.ts';
import type { SlicedTask } from '../time/slicedTask.ts';
import type { EntityDiagnostic, EntitySlot } from './entityTable.ts';
import type { FetchError, Staleness } from './fetchCall.ts';
import { collectTargetPaths, prefixBeforeLists } from './flattenPath.ts';
import { InvalidDataError, toFetchError } from './invalidDataError.ts';
import type { FetchStep, Program } from './program.ts';
import { type ProgramIndex, programIndexOf } from './programIndex.ts';
import type { ResponseObject } from './responseTree.ts';
import { rewritePath } from './rewrites.ts';

/** A field whose value is older than its rule says. */
export interface StaleValue extends Staleness {
  /** Of the field, in internal names. */
  readonly path: ResponsePath;
  /** The delivery group whose payload carries it. */
  readonly group: number;
}

/** An error of one fetch. Paths are in internal names; the response has them in the client's. */
export interface ExecutionError {
  readonly path: ResponsePath;
  readonly subgraph: string;
  /** The subgraph's own error, or the gateway's error about the fetch. */
  readonly reason: SubgraphErrorEntry | GatewayError;
  /** Index of the step that failed. */
  readonly step: number;
  /** The delivery group whose payload carries the error. */
  readonly group: number;
  /** Set when the whole fetch failed, or lost an entity: names of the fields below `path`, or of `lostObject`, that are missing
   *  because of it, in this fetch and in its dependents. The response has the error at each of these fields. */
  readonly missing: ReadonlySet<string> | undefined;
  /** Set when the error of a field made its whole entity null: the path of the object that lacks the fields. */
  readonly lostObject?: ResponsePath;
}

export interface FaultListener {
  /** A fault of the gateway failed one fetch. */
  onInternalError(cause: unknown): void;
}

/** An object that a step fetches an entity for, with the diagnostics of that entity. */
export interface TargetDiagnostics {
  readonly object: ResponseObject;
  readonly diagnostics: readonly EntityDiagnostic[];
}

/** The diagnostics of one execution, each with its path in the response tree: errors, and stale values. */
export class ExecutionDiagnostics {
  readonly errors: ExecutionError[];
  readonly staleValues: StaleValue[] = [];
  readonly #tree: ResponseObject;
  readonly #program: Program;
  readonly #programIndex: ProgramIndex;
  readonly #faults: FaultListener;

  /** `errors`: those of an execution that is resumed. */
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

  /** Adds the errors that a subgraph returned for a fetch of root fields. */
  *addRootErrors(step: FetchStep, errors: readonly FetchError[]): SlicedTask {
    const targetPaths = [...(yield* collectTargetPaths(this.#tree, step.path)).values()].flat();
    let untilPause = errorsPerSlice;
    for (const { entry, path } of errors) {
      untilPause -= targetPaths.length;
      if (untilPause <= 0) {
        untilPause = errorsPerSlice;
        yield;
      }
      const renamed = rewritePath(step.shape.outputRewrites, path);
      for (const targetPath of targetPaths) this.#addErrorAt(step, entry, targetPath, renamed);
    }
  }

  /** `stale`: root fields by their names in the fetch. */
  *addStaleFields(step: FetchStep, stale: ReadonlyMap<number | string, Staleness>): SlicedTask {
    const targetPaths = [...(yield* collectTargetPaths(this.#tree, step.path)).values()].flat();
    for (const [name, staleness] of stale) {
      const renamed = rewritePath(step.shape.outputRewrites, [name]);
      for (const targetPath of targetPaths)
        this.staleValues.push({ ...staleness, path: [...targetPath, ...renamed], group: step.group });
    }
  }

  /** Adds the errors that a subgraph returned for an entity fetch. `bySlot`: other diagnostics of single entities.
   *  Without data, one error, perhaps of one entity, failed all entities of the fetch. */
  *addEntityErrors(
    step: FetchStep,
    slots: readonly EntitySlot[],
    errors: readonly FetchError[],
    bySlot: Map<EntitySlot, EntityDiagnostic[]>,
    hasData: boolean,
  ): SlicedTask {
    const ofFetch: EntityDiagnostic[] = [];
    for (const [index, { entry, entityIndex, path }] of errors.entries()) {
      if (index % errorsPerSlice === errorsPerSlice - 1) yield;
      const slot = entityIndex === undefined ? undefined : slots[entityIndex];
      if (slot === undefined) {
        ofFetch.push({ reason: entry, path: undefined });
        continue;
      }
      const diagnostic = {
        reason: entry,
        path: rewritePath(step.shape.outputRewrites, path),
        hasLostEntity: slot.entity === undefined,
      };
      const ofSlot = bySlot.get(slot);
      if (ofSlot === undefined) bySlot.set(slot, [diagnostic]);
      else ofSlot.push(diagnostic);
    }
    const [first] = errors;
    if (!hasData && ofFetch.length === 0 && first !== undefined) {
      for (const slot of slots) if (!bySlot.has(slot)) bySlot.set(slot, [{ reason: first.entry, path: [] }]);
    }
    yield* this.addToSlots(slots, ofFetch, bySlot);
  }

  /** Settles slots with their diagnostics, and adds these for every step that fetches the entities. */
  *addToSlots(
    slots: readonly EntitySlot[],
    ofFetch: readonly EntityDiagnostic[],
    bySlot: ReadonlyMap<EntitySlot, readonly EntityDiagnostic[]> = new Map(),
  ): SlicedTask {
    const byStep = new Map<FetchStep, TargetDiagnostics[]>();
    for (const [index, slot] of slots.entries()) {
      if (index % errorsPerSlice === errorsPerSlice - 1) yield;
      slot.isSettled = true;
      const own = bySlot.get(slot);
      const diagnostics = own === undefined ? ofFetch : ofFetch.length === 0 ? own : [...ofFetch, ...own];
      if (diagnostics.length === 0) continue;
      slot.diagnostics = diagnostics;
      slot.forEachTarget((_slot, object, step) => {
        const targets = byStep.get(step);
        if (targets === undefined) byStep.set(step, [{ object, diagnostics }]);
        else targets.push({ object, diagnostics });
      });
    }
    for (const [step, targets] of byStep) yield* this.addEntityDiagnostics(step, targets);
  }

  /** Adds one error for each path of an entity, and one for each error of the whole fetch. */
  *addEntityDiagnostics(step: FetchStep, targets: readonly TargetDiagnostics[]): SlicedTask {
    const prefix = prefixBeforeLists(step.path);
    const pathsByObject = yield* collectTargetPaths(this.#tree, step.path);
    const added = new Set<unknown>();
    let untilPause = errorsPerSlice;
    for (const { object, diagnostics } of targets) {
      untilPause -= 1 + diagnostics.length;
      if (untilPause <= 0) {
        untilPause = errorsPerSlice;
        yield;
      }
      const isNew = !added.has(object);
      added.add(object);
      for (const diagnostic of diagnostics) {
        if ('staleness' in diagnostic) {
          if (isNew) this.#addStaleEntity(step, pathsByObject.get(object) ?? [], diagnostic.staleness);
          continue;
        }
        const { reason, path, hasLostEntity } = diagnostic;
        if (path === undefined) {
          if (!added.has(reason)) this.addFailure(step, reason, prefix);
          added.add(reason);
        } else if (isNew) {
          for (const objectPath of pathsByObject.get(object) ?? [])
            this.#addErrorAt(step, reason, objectPath, path, hasLostEntity);
        }
      }
    }
  }

  /** Adds an error of a whole fetch: all its fields are missing at the objects at `path`. Reports a fault of the gateway. */
  addFailure(
    step: FetchStep,
    reason: ExecutionError['reason'],
    path: ResponsePath = prefixBeforeLists(step.path),
  ): void {
    // The subgraph client and the cache report their own faults, whose errors have a subgraph.
    if (reason instanceof GatewayError && reason.code === 'INTERNAL_SERVER_ERROR' && !reason.subgraph)
      this.#faults.onInternalError(reason.cause);
    this.#add(step, reason, path, this.#missingFieldsOf(step));
  }

  /** Adds what a step threw. */
  addInternalError(step: FetchStep, cause: unknown): void {
    this.addFailure(step, toFetchError(cause, step.shape.subgraph));
  }

  #addStaleEntity(step: FetchStep, paths: readonly ResponsePath[], staleness: Staleness): void {
    for (const path of paths) {
      for (const key of step.shape.keys) {
        if (key === '__typename') continue;
        this.staleValues.push({ ...staleness, path: [...path, key], group: step.group });
      }
    }
  }

  /** Adds an error at `path` below an object.
   *  @throws {GatewayError} `OPERATION_TOO_COMPLEX` for too many: each error of an object is added wherever the object is. */
  #addErrorAt(
    step: FetchStep,
    reason: ExecutionError['reason'],
    objectPath: ResponsePath,
    path: ResponsePath,
    hasLostEntity = false,
  ): void {
    if (this.errors.length >= maxErrors) throw tooManyErrors();
    if (path.length === 0) this.addFailure(step, reason, objectPath);
    else if (hasLostEntity)
      this.#add(step, reason, [...objectPath, ...path], this.#missingFieldsOf(step), objectPath);
    else this.#add(step, reason, [...objectPath, ...path], undefined);
  }

  #add(
    step: FetchStep,
    reason: ExecutionError['reason'],
    path: ResponsePath,
    missing: ReadonlySet<string> | undefined,
    lostObject?: ResponsePath,
  ): void {
    const { index, group, shape } = step;
    const error = { path, subgraph: shape.subgraph, reason, step: index, group, missing };
    this.errors.push(lostObject === undefined ? error : { ...error, lostObject });
  }

  #missingFieldsOf(step: FetchStep): ReadonlySet<string> {
    const known = this.#programIndex.missingFieldsByStep[step.index];
    if (known !== undefined) return known;
    const missing = new Set<string>();
    const seen = new Set<number>();
    const open = [step.index];
    for (let index = open.pop(); index !== undefined; index = open.pop()) {
      if (seen.has(index)) continue;
      seen.add(index);
      for (const key of (this.#program.steps[index] as FetchStep).shape.keysAtAnyDepth) missing.add(key);
      open.push(...(this.#programIndex.dependents[index] ?? []));
    }
    this.#programIndex.missingFieldsByStep[step.index] = missing;
    return missing;
  }
}

export function invalidStepResponseError(step: FetchStep, problem: string): GatewayError {
  return new InvalidDataError(step.shape.subgraph, 'A subgraph returned an invalid response.', problem);
}

/** Errors of one execution at single paths, each with some hundred bytes. */
const maxErrors = 100_000;

function tooManyErrors(): GatewayError {
  return new GatewayError(
    'OPERATION_TOO_COMPLEX',
    `Subgraphs have reported more than ${maxErrors} errors; the others are left out. Select fewer fields, or fetch the data in pages.`,
  );
}

/** Long lists of errors pause after so many. */
const errorsPerSlice = 200;
