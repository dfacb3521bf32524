import type { CallPriority } from '../subgraphs/policies/callPriority.ts';
import { runInSlices, type SlicedTask } from '../time/slicedTask.ts';
import { type EntitySlot, EntityTable, type TypeSlots } from './entityTable.ts';
import type { ExecutionDiagnostics, TargetDiagnostics } from './executionDiagnostics.ts';
import { type FetchCall, reportResult } from './fetchCall.ts';
import type { FetchScheduler } from './fetchScheduler.ts';
import type { FetchShape } from './fetchShape.ts';
import type { SharedObjects } from './internedTargets.ts';
import { toFetchError } from './invalidDataError.ts';
import type { LatencyBudget } from './latencyBudget.ts';
import type { FetchStep, Program } from './program.ts';
import { type ProgramIndex, programIndexOf } from './programIndex.ts';
import type { RequestContext } from './requestContext.ts';
import type { ResponseObject } from './responseTree.ts';
import { type ResultMerger, targetsPerSlice } from './resultMerger.ts';
import type { ContextReader, ContextTargets } from './rewrites.ts';
import type { ScheduledStep } from './scheduledStep.ts';
import { Settlement, waitForAll } from './settlement.ts';
import type { TargetPath } from './targetPaths.ts';
import type { TypeConditions } from './typeConditions.ts';

/** How urgent the fetches of a delivery group are, and the latency budget that they share. */
export interface GroupUrgency {
  readonly priority: CallPriority;
  readonly budget: LatencyBudget | undefined;
}

/** Whether the values of a mutation's root fields before those of the step make `data` null. */
export type DataNullCheck = (step: FetchStep, tree: ResponseObject) => SlicedTask<boolean>;

interface StepRunnerOptions {
  readonly program: Program;
  readonly requestContext: RequestContext;
  readonly scheduler: FetchScheduler;
  readonly conditions: TypeConditions;
  readonly urgency?: readonly GroupUrgency[] | undefined;
  /** Omitted for an operation that is not a mutation. */
  readonly isDataNullBefore?: DataNullCheck | undefined;
  /** Omitted for an execution that begins with its first step. */
  readonly resume?: { readonly tree: ResponseObject } | undefined;
}

/** Runs single steps of a program: reads what a fetch needs from the response tree, sends the fetch, and ends the step when
 *  the result is merged. */
export class StepRunner {
  /** The results of running fetches are ignored. */
  isEnded = false;
  readonly #options: StepRunnerOptions;
  readonly #tree: ResponseObject;
  readonly #diagnostics: ExecutionDiagnostics;
  readonly #results: ResultMerger;
  readonly #onStepEnd: (step: FetchStep) => void;
  /** See `createInterningCollector`. */
  readonly sharedObjects: SharedObjects = new Map();
  readonly #programIndex: ProgramIndex;
  /** By index of the path, until other objects may be at the path. */
  #targets: (readonly ResponseObject[] | undefined)[] = [];
  #entities = new EntityTable();
  /** Per step: whether it had something to fetch. */
  readonly #isFetched: boolean[];

  /** `onStepEnd`: the step's fetch has ended, or there was nothing to fetch. Called once per step. */
  constructor(
    options: StepRunnerOptions,
    tree: ResponseObject,
    diagnostics: ExecutionDiagnostics,
    results: ResultMerger,
    onStepEnd: (step: FetchStep) => void,
  ) {
    this.#options = options;
    this.#tree = tree;
    this.#diagnostics = diagnostics;
    this.#results = results;
    this.#onStepEnd = onStepEnd;
    this.#programIndex = programIndexOf(options.program);
    this.#isFetched = options.program.steps.map(() => false);
  }

  run(step: FetchStep): void {
    if (this.isEnded) return;
    try {
      if (step.representationReader === undefined) this.#fetchRoot(step);
      else this.#fetchEntities(step);
    } catch (fault) {
      this.#fail(step, fault);
    }
  }

  hasFetched({ index }: FetchStep): boolean {
    return this.#isFetched[index] === true;
  }

  /** Releases the entities of all other shapes. */
  retainShapes(shapes: ReadonlySet<FetchShape>): void {
    this.#entities.retainShapes(shapes);
    this.#targets = [];
  }

  /** `fetchingMs`: see `FetchScheduler`. */
  release(fetchingMs: number): void {
    this.isEnded = true;
    this.#entities.release(fetchingMs);
    this.#targets = [];
    // To clear an empty map takes longer than to create it.
    if (this.sharedObjects.size > 0) this.sharedObjects.clear();
  }

  #fetchRoot(step: FetchStep): void {
    const { isDataNullBefore } = this.#options;
    if (step.path.length > 0 && this.#results.rootTargets(step).length === 0) this.#end(step);
    else if (step.shape.kind !== 'mutation') this.#sendRoot(step);
    else {
      // Entities that were read before a mutation may have changed with it.
      this.#entities = new EntityTable();
      // Clients take it that no field is executed after earlier ones have made `data` null.
      if (step.index === 0 || isDataNullBefore === undefined) this.#sendRoot(step);
      else
        this.#inSlices(
          isDataNullBefore(step, this.#tree),
          (isDataNull) => (isDataNull === false ? this.#sendRoot(step) : this.#end(step)),
          (fault) => this.#fail(step, fault),
        );
    }
  }

  #sendRoot(step: FetchStep): void {
    const settlement = new Settlement();
    this.#load(step, settlement, [], undefined, (result, done) =>
      this.#runGuarded(step, this.#results.mergeRoot(step, result), done),
    );
    this.#endWhen(step, [settlement]);
  }

  /** Sends the fetch of a step. */
  #load(
    step: FetchStep,
    settlement: Settlement,
    representations: readonly string[],
    contextVariables: FetchCall['contextVariables'],
    settle: FetchCall['settle'],
  ): void {
    const { requestContext, scheduler, urgency } = this.#options;
    const { index, shape, group } = step;
    const { priority, budget } = urgency?.[group] ?? (group === 0 ? primaryUrgency : deferredUrgency);
    const call: FetchCall = {
      shape,
      requestContext,
      group,
      priority,
      budget,
      isBelowRoot: !shape.isEntityFetch && step.path.length > 0,
      representations,
      contextVariables,
      step: this.#programIndex.scheduledSteps[index] as ScheduledStep,
      span: undefined,
      settle: (result, done) => {
        reportResult(call, result);
        settle(result, done);
      },
    };
    scheduler.load(call, (fault) => settlement.settle(fault));
  }

  #fetchEntities(step: FetchStep): void {
    const targets = this.#targetsAt(this.#programIndex.targetPaths[step.index] as TargetPath);
    this.#inSlices(
      this.#fetchFor(step, targets),
      (settlements) => this.#endWhen(step, settlements),
      (fault) => this.#fail(step, fault),
    );
  }

  #targetsAt(path: TargetPath): readonly ResponseObject[] {
    let targets = this.#targets[path.index];
    if (targets === undefined) {
      if (this.#options.resume !== undefined) {
        // The pending fields of the first response refer to objects of the tree. An equal object must not replace them.
        targets = path.collectTargets(this.#tree);
      } else {
        if (path.inner !== undefined) this.#targetsAt(path.inner);
        targets = path.collect(this.#tree, this.sharedObjects);
      }
      this.#targets[path.index] = targets;
    }
    return targets;
  }

  /** Returns the fetches that the step waits for; `undefined` for none. */
  #fetchFor(
    step: FetchStep,
    targets: readonly ResponseObject[],
  ): SlicedTask<readonly Settlement[] | undefined> {
    return step.contextReader === undefined
      ? this.#fetchTargets(step, targets, undefined)
      : this.#fetchByContext(step, step.contextReader, targets);
  }

  /** Arguments from context are variables of the whole fetch: objects with different values need separate fetches. */
  *#fetchByContext(
    step: FetchStep,
    contextReader: ContextReader,
    targets: readonly ResponseObject[],
  ): SlicedTask<readonly Settlement[] | undefined> {
    const { path, parts = [] } = step;
    const settlements: Settlement[] = [];
    const { groups, withoutValue } = contextReader.group(targets, this.#tree, path, this.#options.conditions);
    for (const context of groups)
      settlements.push(...((yield* this.#fetchTargets(step, context.targets, context)) ?? []));
    if (withoutValue.length > 0)
      for (const part of parts)
        settlements.push(...((yield* this.#fetchFor({ ...step, ...part }, withoutValue)) ?? []));
    return settlements.length === 0 ? undefined : settlements;
  }

  /** Like `#fetchFor`, for objects with equal arguments from context. */
  *#fetchTargets(
    step: FetchStep,
    targets: readonly ResponseObject[],
    context: ContextTargets | undefined,
  ): SlicedTask<readonly Settlement[] | undefined> {
    const diagnostics = this.#diagnostics;
    const reader = step.representationReader as NonNullable<FetchStep['representationReader']>;
    const slots = this.#entities.slotsFor(
      step.shape,
      context === undefined ? reader.key : `${reader.key}${context.key}`,
    );
    const added: EntitySlot[] = [];
    const representations: string[] = [];
    let known: TargetDiagnostics[] | undefined;
    /** Fetches of other steps that this step has to wait for. */
    let otherFetches: Set<Settlement> | undefined;
    let slotsOfType: TypeSlots | undefined;
    let untilPause = targetsPerSlice;
    const settlement = new Settlement();
    try {
      // An index, because V8 calls the iterator of an array for each element in a generator.
      for (let index = 0; index < targets.length; index++) {
        const target = targets[index] as ResponseObject;
        if (--untilPause === 0) {
          untilPause = targetsPerSlice;
          yield;
        }
        const representation = reader.representationOf(target);
        if (representation === undefined) continue;
        if (slotsOfType?.representation !== representation) slotsOfType = slots.slotsOf(representation);
        const slot = slotsOfType.find(target, step);
        if (slot !== undefined) {
          if (slot.entity !== undefined) this.#results.mergeEntity(step, slot, target);
          // Its errors are still to be recorded.
          if (!slot.isSettled) slot.addTarget(target, step);
          if (slot.diagnostics.length > 0) {
            known ??= [];
            known.push({ object: target, diagnostics: slot.diagnostics });
          }
          if (!slot.isSettled && slot.step !== step && slot.settlement !== undefined) {
            otherFetches ??= new Set();
            otherFetches.add(slot.settlement);
          }
          continue;
        }
        const text = representation.serialize(target);
        if (text === undefined) continue;
        representations.push(text);
        added.push(slotsOfType.add(target, step, settlement));
      }
    } catch (fault) {
      // Other steps may wait for the entities that were added.
      settlement.settle(fault);
      throw fault;
    }
    if (known !== undefined) yield* diagnostics.addEntityDiagnostics(step, known);
    const others = otherFetches && [...otherFetches];
    if (added.length === 0) return others;
    this.#sendEntities(step, settlement, representations, added, context?.variables);
    return others === undefined ? [settlement] : [...others, settlement];
  }

  /** `slots`: of the entities, in the order of the representations. */
  #sendEntities(
    step: FetchStep,
    settlement: Settlement,
    representations: string[],
    slots: EntitySlot[],
    contextVariables: FetchCall['contextVariables'],
  ): void {
    this.#load(step, settlement, representations, contextVariables, (result, done) => {
      const end = (): void => {
        // The call may live until the operation ends; these lists need not live that long.
        slots.length = 0;
        representations.length = 0;
        done();
        // Other calls of the request may wait for the subgraph when the cache has answered this one.
        settlement.settle();
      };
      this.#runGuarded(step, this.#results.mergeEntities(step, slots, result), end, slots);
    });
  }

  #end(step: FetchStep): void {
    const changed = this.#programIndex.changedPaths[step.index] as readonly TargetPath[];
    for (const path of changed) this.#targets[path.index] = undefined;
    this.#onStepEnd(step);
  }

  #fail(step: FetchStep, fault: unknown): void {
    this.#diagnostics.addInternalError(step, fault);
    this.#end(step);
  }

  /** A step without anything to wait for ends in the same turn. */
  #endWhen(step: FetchStep, settlements: readonly Settlement[] | undefined): void {
    if (settlements === undefined) {
      this.#end(step);
      return;
    }
    this.#isFetched[step.index] = true;
    waitForAll(settlements, (fault) => {
      if (fault === undefined) this.#end(step);
      else this.#fail(step, fault);
    });
  }

  /** A fault of the gateway fails one fetch, for all steps that wait for these entities; the operation still ends. */
  #runGuarded(step: FetchStep, task: SlicedTask, done: () => void, slots: readonly EntitySlot[] = []): void {
    this.#inSlices(task, done, (fault) => {
      const open = slots.filter(({ isSettled }) => !isSettled);
      if (open.length === 0) {
        this.#diagnostics.addInternalError(step, fault);
        done();
        return;
      }
      const reason = toFetchError(fault, step.shape.subgraph);
      this.#runGuarded(step, this.#diagnostics.addToSlots(open, [{ reason, path: undefined }]), done);
    });
  }

  /** Runs a task that ends with the execution: then `done` gets `undefined`. */
  #inSlices<Result>(
    task: SlicedTask<Result>,
    done: (result: Result | undefined) => void,
    fail: (fault: unknown) => void,
  ): void {
    if (this.isEnded) {
      done(undefined);
      return;
    }
    let first: IteratorResult<void, Result>;
    try {
      first = task.next();
    } catch (fault) {
      fail(fault);
      return;
    }
    if (first.done === true) done(first.value);
    else runInSlices(this.#stopWhenEnded(task), done, fail);
  }

  *#stopWhenEnded<Result>(task: SlicedTask<Result>): SlicedTask<Result | undefined> {
    while (!this.isEnded) {
      const { done, value } = task.next();
      if (done === true) return value;
      yield;
    }
    return undefined;
  }
}

const primaryUrgency: GroupUrgency = { priority: 'primary', budget: undefined };
const deferredUrgency: GroupUrgency = { priority: 'critical', budget: undefined };
