import type { CallPriority } from '../subgraphs/policies/callPriority.ts';
import { runInSlices, type SlicedTask } from '../time/slicedTask.ts';
import type { CachingContribution } from './cachingContribution.ts';
import { type EntityDiagnostic, type EntitySlot, EntityTable, type TypeSlots } from './entityTable.ts';
import {
  ExecutionDiagnostics,
  type ExecutionError,
  errorsPerSlice,
  type FaultListener,
  invalidStepResponse,
  type TargetDiagnostics,
} from './executionDiagnostics.ts';
import type { FetchCall, FetchError, FetchResult } from './fetchCall.ts';
import type { FetchScheduler } from './fetchScheduler.ts';
import type { LatencyBudget } from './latencyBudget.ts';
import type { FetchStep, Program } from './program.ts';
import { type ProgramIndex, programIndexOf } from './programIndex.ts';
import type { RequestContext } from './requestContext.ts';
import { isPlainObject, type ResponseObject } from './responseTree.ts';
import { applyRewrites, rewritePath } from './rewrites.ts';
import type { StaleValue } from './staleValue.ts';
import type { TypeConditions } from './typeConditions.ts';

export interface ExecutionOptions extends FaultListener {
  readonly program: Program;
  readonly requestContext: RequestContext;
  readonly scheduler: FetchScheduler;
  readonly conditions: TypeConditions;
  /** By delivery group; left out for an operation without enrichments. */
  readonly urgency?: readonly GroupUrgency[] | undefined;
  /** Left out where the execution begins at the beginning. */
  readonly resume?: ResumedExecution | undefined;
}

/** How urgent the fetches of a delivery group are, and whose budget they have. */
export interface GroupUrgency {
  readonly priority: CallPriority;
  readonly budget: LatencyBudget | undefined;
}

/** What is left to do of an execution that began elsewhere. */
export interface ResumedExecution {
  readonly tree: ResponseObject;
  /** Indices of the steps to run. All others count as ended. */
  readonly steps: ReadonlySet<number>;
  /** Of those that have ended. */
  readonly errors: readonly ExecutionError[];
}

/** Runs one program: starts each step when the ones before it have ended, merges the answers into the response
 *  tree, and says when a delivery group has all its data. */
export class Execution {
  readonly tree: ResponseObject;
  readonly errors: readonly ExecutionError[];
  /** Fields whose values are older than they should be. */
  readonly staleValues: readonly StaleValue[];
  /** Per delivery group: the parts that were fetched, and whether they may be kept. */
  readonly cacheContributions: CachingContribution[][] = [];
  /** No answer so far holds a string with an escape sequence. */
  isEscapeFree = true;
  readonly #options: ExecutionOptions;
  readonly #diagnostics: ExecutionDiagnostics;
  #entities = new EntityTable();
  /** Per step: how many steps it still waits for. */
  readonly #openDependencies: number[];
  readonly #programIndex: ProgramIndex;
  readonly #isStepDone: boolean[];
  /** Steps that had something to ask for. */
  readonly #fetched = new Set<FetchStep>();
  /** Per delivery group: how many of its steps have not ended. */
  readonly #openSteps: number[];
  #onGroupComplete: (group: number) => void = () => {};
  #isEnded = false;

  constructor(options: ExecutionOptions) {
    this.#options = options;
    const { resume, program } = options;
    const { steps, groups } = program;
    this.tree = resume?.tree ?? {};
    this.#diagnostics = new ExecutionDiagnostics(this.tree, program, resume?.errors ?? [], options);
    this.errors = this.#diagnostics.errors;
    this.staleValues = this.#diagnostics.staleValues;
    this.#programIndex = programIndexOf(program);
    this.#isStepDone = steps.map(({ index }) => resume !== undefined && !resume.steps.has(index));
    const isOpen = (index: number): boolean => this.#isStepDone[index] === false;
    this.#openDependencies = steps.map((step) => step.dependsOn.filter(isOpen).length);
    this.#openSteps = groups.map((group) => group.steps.filter(isOpen).length);
  }

  /** Whether all fetches of a delivery group have ended. */
  isComplete(group: number): boolean {
    return this.#openSteps[group] === 0;
  }

  /** Whether a fetch that brings data of a delivery group has begun, or ended: there may be no objects to ask for. */
  hasFetched(group: number): boolean {
    const { steps, groups } = this.#options.program;
    return groups[group]?.dataSteps.some((index) => this.#fetched.has(steps[index] as FetchStep)) ?? false;
  }

  /** Indices of the steps that these groups wait for and that have not ended, or that are to be run again, with those
   *  that wait for them. */
  remainingSteps(groups: readonly number[], again: ReadonlySet<number>): ReadonlySet<number> {
    const { program } = this.#options;
    const needed = new Set<number>();
    const next = groups.flatMap((group) => program.groups[group]?.steps ?? []);
    for (let index = next.pop(); index !== undefined; index = next.pop()) {
      if (needed.has(index)) continue;
      needed.add(index);
      next.push(...(program.steps[index] as FetchStep).dependsOn);
    }
    const left = new Set<number>();
    const add = (index: number): void => {
      if (!needed.has(index) || left.has(index)) return;
      left.add(index);
      for (const dependent of this.#programIndex.dependents[index] ?? []) add(dependent);
    };
    for (const index of needed) if (!this.#isStepDone[index] || again.has(index)) add(index);
    return left;
  }

  /** `onGroupComplete` is called once for each delivery group when all its fetches have ended, in ascending order for
   *  groups that end at the same moment. */
  start(onGroupComplete: (group: number) => void): void {
    this.#onGroupComplete = onGroupComplete;
    this.#openSteps.forEach((open, group) => {
      if (open === 0) onGroupComplete(group);
    });
    // Before the first one runs: one that ends at once starts those that wait for it.
    const ready = this.#options.program.steps.filter(
      ({ index }) => this.#openDependencies[index] === 0 && !this.#isStepDone[index],
    );
    for (const step of ready) this.#runStep(step);
  }

  /** Ends all work that nobody else needs. No group is reported any more. */
  cancel(): void {
    this.#isEnded = true;
    this.#options.scheduler.cancel();
  }

  /** Lets go of what no step that is left will look at. Called when what is left may take long: every collection of
   *  garbage until then would copy it. */
  releaseCompleted(): void {
    const { program, scheduler } = this.#options;
    const left = program.steps.filter(({ index }) => !this.#isStepDone[index]);
    this.#entities.retainShapes(new Set(left.map(({ shape }) => shape)));
    scheduler.release();
  }

  /** Lets go of everything, once the answer is written: see `EntityTable.release`. */
  release(): void {
    this.#isEnded = true;
    for (const key of Object.keys(this.tree)) this.tree[key] = undefined;
    this.#entities.release();
    this.#options.scheduler.release();
  }

  #runStep(step: FetchStep): void {
    if (this.#isEnded) return;
    try {
      if (step.representationReader === undefined) this.#fetchRoot(step);
      else this.#fetchEntities(step);
    } catch (reason) {
      this.#diagnostics.addInternalError(step, reason);
      this.#completeStep(step);
    }
  }

  #completeStep(step: FetchStep): void {
    if (this.#isEnded || this.#isStepDone[step.index]) return;
    this.#isStepDone[step.index] = true;
    const { steps } = this.#options.program;
    for (const index of this.#programIndex.dependents[step.index] ?? []) {
      const left = (this.#openDependencies[index] as number) - 1;
      this.#openDependencies[index] = left;
      if (left === 0) this.#runStep(steps[index] as FetchStep);
    }
    for (const group of this.#programIndex.groupsOfStep[step.index] ?? []) {
      const open = (this.#openSteps[group] as number) - 1;
      this.#openSteps[group] = open;
      if (open === 0) this.#onGroupComplete(group);
    }
  }

  #fetchRoot(step: FetchStep): void {
    const isBelowRoot = step.path.length > 0;
    if (isBelowRoot && step.collectTargets(this.tree).length === 0) {
      this.#completeStep(step);
      return;
    }
    // What was read before a mutation says nothing about the time after it.
    if (step.shape.kind === 'mutation') this.#entities = new EntityTable();
    const call: FetchCall = {
      shape: step.shape,
      requestContext: this.#options.requestContext,
      group: step.group,
      ...this.#urgencyOf(step),
      isBelowRoot,
      representations: [],
      contextVariables: undefined,
      settle: (result, settled) => this.#runGuarded(step, this.#settleRoot(step, result), settled),
    };
    this.#completeStepWhen(step, this.#options.scheduler.load(call));
  }

  *#settleRoot(step: FetchStep, result: FetchResult): SlicedTask {
    this.#recordCacheContribution(step, result);
    if (result.kind === 'failed') {
      this.#diagnostics.addFailure(step, result.error);
      return;
    }
    this.isEscapeFree &&= result.isEscapeFree;
    yield* this.#diagnostics.addRootErrors(step, result.errors);
    if (result.stale !== undefined) yield* this.#diagnostics.addStaleFields(step, result.stale);
    if (isPlainObject(result.data)) {
      const { data } = result;
      applyRewrites(step.shape.outputRewrites, data, undefined, this.#options.conditions);
      for (const [index, target] of step.collectTargets(this.tree).entries()) {
        const own = index === 0 ? data : structuredClone(data);
        step.shape.merge(target, own, this.#options.conditions.isObjectType);
        if (index > 0) yield;
      }
    } else if (result.errors.length === 0) this.#diagnostics.addInvalidResponse(step, 'data is no object');
  }

  #fetchEntities(step: FetchStep): void {
    this.#inSlices(
      this.#fetchByContext(step, step.collectTargets(this.tree)),
      (settled) => this.#completeStepWhen(step, settled),
      (fault) => {
        this.#diagnostics.addInternalError(step, fault);
        this.#completeStep(step);
      },
    );
  }

  /** What the step waits for, if there is anything. */
  *#fetchByContext(
    step: FetchStep,
    targets: readonly ResponseObject[],
  ): SlicedTask<Promise<unknown> | undefined> {
    if (step.contextReader === undefined || targets.length === 0) {
      return yield* this.#fetchTargets(step, targets, undefined);
    }
    // Arguments from context are variables of the whole fetch: objects with different values are asked for apart.
    const values = step.contextReader.read(this.tree, step.path, this.#options.conditions);
    const byValues = new Map<string, { variables: Record<string, unknown>; targets: ResponseObject[] }>();
    for (const target of targets) {
      const variables = values.get(target) ?? {};
      const key = JSON.stringify(step.contextReader.variableNames.map((name) => variables[name] ?? null));
      const same = byValues.get(key);
      if (same === undefined) byValues.set(key, { variables, targets: [target] });
      else same.targets.push(target);
    }
    const parts: (Promise<unknown> | undefined)[] = [];
    for (const [key, part] of byValues) {
      parts.push(yield* this.#fetchTargets(step, part.targets, { key, variables: part.variables }));
    }
    return Promise.all(parts);
  }

  *#fetchTargets(
    step: FetchStep,
    targets: readonly ResponseObject[],
    context: { readonly key: string; readonly variables: Record<string, unknown> } | undefined,
  ): SlicedTask<Promise<unknown> | undefined> {
    const { shape } = step;
    const representation = (
      step.representationReader as NonNullable<FetchStep['representationReader']>
    ).afterFailures(this.errors);
    const slots = this.#entities.slotsFor(
      shape,
      context === undefined ? representation.key : `${representation.key}${context.key}`,
    );
    const fresh: EntitySlot[] = [];
    const texts: string[] = [];
    const late: TargetDiagnostics[] = [];
    let foreign: Set<Promise<unknown>> | undefined;
    let ofType: TypeSlots | undefined;
    let untilPause = targetsPerSlice;
    // What other steps wait for that meet these entities before they have been asked for.
    let announced: PromiseWithResolvers<unknown> | undefined;
    for (const target of targets) {
      if (--untilPause === 0) {
        announced ??= Promise.withResolvers();
        for (let i = fresh.length - 1; i >= 0 && fresh[i]?.settlement === undefined; i--) {
          (fresh[i] as EntitySlot).settlement = announced.promise;
        }
        untilPause = targetsPerSlice;
        yield;
      }
      const read = representation.representationOf(target);
      if (read === undefined) continue;
      if (ofType?.representation !== read) ofType = slots.slotsOf(read);
      const known = ofType.find(target);
      if (known !== undefined) {
        if (known.entity !== undefined) this.#merge(step, known, target);
        else known.addTarget(target, step);
        if (known.diagnostics.length > 0) late.push({ object: target, diagnostics: known.diagnostics });
        if (!known.isSettled && known.step !== step && known.settlement !== undefined) {
          foreign ??= new Set();
          foreign.add(known.settlement);
        }
        continue;
      }
      const text = read.serialize(target);
      if (text === undefined) continue;
      texts.push(text);
      fresh.push(ofType.add(target, step));
    }
    if (late.length > 0) yield* this.#diagnostics.addEntityDiagnostics(step, late);
    if (fresh.length === 0) return foreign === undefined ? undefined : Promise.all(foreign);
    const settled = this.#options.scheduler.load({
      shape,
      requestContext: this.#options.requestContext,
      group: step.group,
      ...this.#urgencyOf(step),
      isBelowRoot: false,
      representations: texts,
      contextVariables: context?.variables,
      settle: (result, done) => {
        this.#runGuarded(step, this.#settleEntities(step, fresh, result), () => {
          // The call is remembered as long as the operation runs; what it asked for need not be.
          fresh.length = 0;
          texts.length = 0;
          done();
        });
      },
    });
    for (const slot of fresh) slot.settlement = settled;
    announced?.resolve(settled);
    return foreign === undefined ? settled : Promise.all([...foreign, settled]);
  }

  *#settleEntities(step: FetchStep, slots: readonly EntitySlot[], result: FetchResult): SlicedTask {
    this.#recordCacheContribution(step, result);
    if (result.kind === 'failed') {
      yield* this.#recordDiagnostics(slots, [{ reason: result.error, path: undefined }]);
      return;
    }
    this.isEscapeFree &&= result.isEscapeFree;
    const entities = Array.isArray(result.data) ? result.data : [];
    const odd = new Map<EntitySlot, EntityDiagnostic[]>();
    // Who meets an entity that has errors still to be told has to wait for them.
    const isClean = result.errors.length === 0 && result.stale === undefined;
    let untilPause = targetsPerSlice;
    for (let i = 0; i < slots.length; i++) {
      if (untilPause <= 0) {
        untilPause = targetsPerSlice;
        yield;
      }
      untilPause--;
      const slot = slots[i] as EntitySlot;
      const entity: unknown = entities[i];
      if (!isPlainObject(entity)) {
        if (entity === null || entity === undefined) slot.isSettled = isClean;
        else {
          odd.set(slot, [
            { reason: invalidStepResponse(step, 'an element of _entities is no object'), path: [] },
          ]);
        }
        continue;
      }
      applyRewrites(step.shape.outputRewrites, entity, slot.typename, this.#options.conditions);
      slot.entity = entity;
      slot.isSettled = isClean;
      slot.forEachTarget((object, owner) => {
        untilPause--;
        this.#merge(owner, slot, object);
      });
    }
    for (const [index, staleness] of result.stale ?? []) {
      const slot = slots[Number(index)];
      if (slot !== undefined) odd.set(slot, [...(odd.get(slot) ?? []), { staleness }]);
    }
    if (result.errors.length === 0 && odd.size === 0) return;
    const isLost = !Array.isArray(result.data);
    yield* this.#settleErrors(step, slots, result.errors, odd, isLost);
  }

  /** `ofSlot`: what was found to be wrong with entities besides. `isLost`: one error, perhaps of one entity, took the
   *  data of all along. */
  *#settleErrors(
    step: FetchStep,
    slots: readonly EntitySlot[],
    errors: readonly FetchError[],
    ofSlot: Map<EntitySlot, EntityDiagnostic[]>,
    isLost: boolean,
  ): SlicedTask {
    const ofFetch: EntityDiagnostic[] = [];
    for (const [index, { entry, entityIndex, path }] of errors.entries()) {
      if (index % errorsPerSlice === errorsPerSlice - 1) yield;
      const slot = entityIndex === undefined ? undefined : slots[entityIndex];
      if (slot === undefined) ofFetch.push({ reason: entry, path: undefined });
      else {
        const renamed = rewritePath(step.shape.outputRewrites, path);
        const problem = { reason: entry, path: renamed };
        const same = ofSlot.get(slot);
        if (same === undefined) ofSlot.set(slot, [problem]);
        else same.push(problem);
      }
    }
    const [first] = errors;
    if (isLost && ofFetch.length === 0 && first !== undefined) {
      for (const slot of slots) if (!ofSlot.has(slot)) ofSlot.set(slot, [{ reason: first.entry, path: [] }]);
    }
    yield* this.#recordDiagnostics(slots, ofFetch, ofSlot);
  }

  /** Keeps the problems and tells each step that waits. */
  *#recordDiagnostics(
    slots: readonly EntitySlot[],
    ofFetch: readonly EntityDiagnostic[],
    ofSlot: ReadonlyMap<EntitySlot, readonly EntityDiagnostic[]> = new Map(),
  ): SlicedTask {
    const byStep = new Map<FetchStep, TargetDiagnostics[]>();
    for (const [index, slot] of slots.entries()) {
      if (index % errorsPerSlice === errorsPerSlice - 1) yield;
      slot.isSettled = true;
      const own = ofSlot.get(slot);
      const problems = own === undefined ? ofFetch : ofFetch.length === 0 ? own : [...ofFetch, ...own];
      if (problems.length === 0) continue;
      slot.diagnostics = problems;
      slot.forEachTarget((object, step) => {
        const ofStep = byStep.get(step);
        if (ofStep === undefined) byStep.set(step, [{ object, diagnostics: problems }]);
        else ofStep.push({ object, diagnostics: problems });
      });
    }
    for (const [step, troubled] of byStep) yield* this.#diagnostics.addEntityDiagnostics(step, troubled);
  }

  #merge(step: FetchStep, slot: EntitySlot, target: ResponseObject): void {
    const entity = slot.entity as ResponseObject;
    // Below another step's path the same objects are enriched by other fetches, perhaps under the same names.
    const own =
      (slot.step === step && !this.#programIndex.hasContext) || step.shape.isLeafOnly
        ? entity
        : step.shape.copyEntity(entity);
    step.shape.merge(target, own, this.#options.conditions.isObjectType);
  }

  #urgencyOf({ group }: FetchStep): GroupUrgency {
    return this.#options.urgency?.[group] ?? (group === 0 ? firstPayloadUrgency : deferredUrgency);
  }

  /** Without anything to wait for, the next step starts in the same turn. */
  #completeStepWhen(step: FetchStep, settled: Promise<unknown> | undefined): void {
    if (settled === undefined) {
      this.#completeStep(step);
      return;
    }
    this.#fetched.add(step);
    settled.then(
      () => this.#completeStep(step),
      (reason) => {
        this.#diagnostics.addInternalError(step, reason);
        this.#completeStep(step);
      },
    );
  }

  /** A fault of the gateway's own fails the one fetch; the operation still ends. */
  #runGuarded(step: FetchStep, take: SlicedTask, done: () => void): void {
    this.#inSlices(take, done, (fault) => {
      this.#diagnostics.addInternalError(step, fault);
      done();
    });
  }

  /** Runs work that ends with the execution: then `done` gets `undefined`. */
  #inSlices<Result>(
    work: SlicedTask<Result>,
    done: (result: Result | undefined) => void,
    fail: (fault: unknown) => void,
  ): void {
    if (this.#isEnded) {
      done(undefined);
      return;
    }
    let first: IteratorResult<void, Result>;
    try {
      first = work.next();
    } catch (fault) {
      fail(fault);
      return;
    }
    if (first.done === true) done(first.value);
    else runInSlices(this.#stopWhenEnded(work), done, fail);
  }

  *#stopWhenEnded<Result>(work: SlicedTask<Result>): SlicedTask<Result | undefined> {
    while (!this.#isEnded) {
      const { done, value } = work.next();
      if (done === true) return value;
      yield;
    }
    return undefined;
  }

  /** What the step's fetch brought goes into the answer, and so into how long the answer may be kept. */
  #recordCacheContribution(step: FetchStep, result: FetchResult): void {
    const part = (result.kind === 'answered' ? result.caching : undefined) ?? uncachedContribution;
    const ofGroup = this.cacheContributions[step.group];
    if (ofGroup === undefined) this.cacheContributions[step.group] = [part];
    else ofGroup.push(part);
  }
}

const firstPayloadUrgency: GroupUrgency = { priority: 'primary', budget: undefined };
const deferredUrgency: GroupUrgency = { priority: 'critical', budget: undefined };

const uncachedContribution: CachingContribution = { kind: 'uncached' };

/** Long lists pause after so many objects. */
const targetsPerSlice = 500;
