import type { Contribution } from '../cache/rules/responseCaching.ts';
import type { CallPriority } from '../subgraph-client/callPriority.ts';
import { inSlices, type SlicedWork } from '../time/inSlices.ts';
import type { Budget } from './budget.ts';
import { type EntityNote, EntityTable, type Slot, type TypeSlots } from './entityTable.ts';
import {
  type ExecutionError,
  ExecutionNotes,
  errorsPerPause,
  type FaultListener,
  invalidAnswer,
  type TroubledEntity,
} from './executionNotes.ts';
import type { FetchCall, FetchError, FetchResult } from './fetchCall.ts';
import type { FetchScheduler } from './fetchScheduler.ts';
import type { FetchStep, Program } from './program.ts';
import type { RequestScope } from './requestScope.ts';
import { isPlainObject, type ResponseObject } from './responseTree.ts';
import { applyRewrites, rewritePath } from './rewrites.ts';
import type { StaleValue } from './staleValue.ts';
import type { TypeConditions } from './typeConditions.ts';
import { type Wiring, wiringOf } from './wiring.ts';

export interface ExecutionOptions extends FaultListener {
  readonly program: Program;
  readonly scope: RequestScope;
  readonly scheduler: FetchScheduler;
  readonly conditions: TypeConditions;
  /** By delivery group; left out for an operation without enrichments. */
  readonly urgency?: readonly GroupUrgency[] | undefined;
  /** Left out where the execution begins at the beginning. */
  readonly resume?: ResumedExecution | undefined;
  /** Called once per delivery group when all its fetches have ended, parents before children of the same moment. */
  onGroupComplete(group: number): void;
}

/** How urgent the fetches of a delivery group are, and whose budget they have. */
export interface GroupUrgency {
  readonly priority: CallPriority;
  readonly budget: Budget | undefined;
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
  readonly stale: readonly StaleValue[];
  /** Per delivery group: the parts that were fetched, and whether they may be kept. */
  readonly parts: Contribution[][] = [];
  /** No answer so far holds a string with an escape sequence. */
  isEscapeFree = true;
  readonly #options: ExecutionOptions;
  readonly #notes: ExecutionNotes;
  #entities = new EntityTable();
  /** Per step: how many steps it still waits for. */
  readonly #waitsFor: number[];
  readonly #wiring: Wiring;
  readonly #isDone: boolean[];
  /** Steps that had something to ask for. */
  readonly #fetched = new Set<FetchStep>();
  /** Per delivery group: how many of its steps have not ended. */
  readonly #openSteps: number[];
  #isEnded = false;

  constructor(options: ExecutionOptions) {
    this.#options = options;
    const { resume, program } = options;
    const { steps, groups } = program;
    this.tree = resume?.tree ?? {};
    this.#notes = new ExecutionNotes(this.tree, program, resume?.errors ?? [], options);
    this.errors = this.#notes.errors;
    this.stale = this.#notes.stale;
    this.#wiring = wiringOf(program);
    this.#isDone = steps.map(({ index }) => resume !== undefined && !resume.steps.has(index));
    const isOpen = (index: number): boolean => this.#isDone[index] === false;
    this.#waitsFor = steps.map((step) => step.after.filter(isOpen).length);
    this.#openSteps = groups.map((group) => group.steps.filter(isOpen).length);
  }

  /** Whether all fetches of a delivery group have ended. */
  isComplete(group: number): boolean {
    return this.#openSteps[group] === 0;
  }

  /** Whether a fetch that brings data of a delivery group has begun, or ended: there may be no objects to ask for. */
  hasFetched(group: number): boolean {
    const { steps, groups } = this.#options.program;
    return groups[group]?.bringing.some((index) => this.#fetched.has(steps[index] as FetchStep)) ?? false;
  }

  /** Indices of the steps that these groups wait for and that have not ended, or that are to be run again, with those
   *  that wait for them. */
  stepsLeft(groups: readonly number[], again: ReadonlySet<number>): ReadonlySet<number> {
    const { program } = this.#options;
    const needed = new Set<number>();
    const next = groups.flatMap((group) => program.groups[group]?.steps ?? []);
    for (let index = next.pop(); index !== undefined; index = next.pop()) {
      if (needed.has(index)) continue;
      needed.add(index);
      next.push(...(program.steps[index] as FetchStep).after);
    }
    const left = new Set<number>();
    const add = (index: number): void => {
      if (!needed.has(index) || left.has(index)) return;
      left.add(index);
      for (const dependent of this.#wiring.dependents[index] ?? []) add(dependent);
    };
    for (const index of needed) if (!this.#isDone[index] || again.has(index)) add(index);
    return left;
  }

  start(): void {
    this.#openSteps.forEach((open, group) => {
      if (open === 0) this.#options.onGroupComplete(group);
    });
    // Before the first one runs: one that ends at once starts those that wait for it.
    const ready = this.#options.program.steps.filter(
      ({ index }) => this.#waitsFor[index] === 0 && !this.#isDone[index],
    );
    for (const step of ready) this.#run(step);
  }

  /** Ends all work that nobody else needs. No group is reported any more. */
  cancel(): void {
    this.#isEnded = true;
    this.#options.scheduler.cancel();
  }

  /** Lets go of what no step that is left will look at. Called when what is left may take long: every collection of
   *  garbage until then would copy it. */
  releaseEnded(): void {
    const { program, scheduler } = this.#options;
    const left = program.steps.filter(({ index }) => !this.#isDone[index]);
    this.#entities.keepOnly(new Set(left.map(({ shape }) => shape)));
    scheduler.release();
  }

  /** Lets go of everything, once the answer is written: see `EntityTable.release`. */
  release(): void {
    this.#isEnded = true;
    for (const key of Object.keys(this.tree)) this.tree[key] = undefined;
    this.#entities.release();
    this.#options.scheduler.release();
  }

  #run(step: FetchStep): void {
    if (this.#isEnded) return;
    try {
      if (step.representation === undefined) this.#fetchRoot(step);
      else this.#fetchEntities(step);
    } catch (reason) {
      this.#notes.addInternal(step, reason);
      this.#end(step);
    }
  }

  #end(step: FetchStep): void {
    if (this.#isEnded || this.#isDone[step.index]) return;
    this.#isDone[step.index] = true;
    const { steps } = this.#options.program;
    for (const index of this.#wiring.dependents[step.index] ?? []) {
      const left = (this.#waitsFor[index] as number) - 1;
      this.#waitsFor[index] = left;
      if (left === 0) this.#run(steps[index] as FetchStep);
    }
    for (const group of this.#wiring.groupsOfStep[step.index] ?? []) {
      const open = (this.#openSteps[group] as number) - 1;
      this.#openSteps[group] = open;
      if (open === 0) this.#options.onGroupComplete(group);
    }
  }

  #fetchRoot(step: FetchStep): void {
    const isBelowRoot = step.path.length > 0;
    if (isBelowRoot && step.collect(this.tree).length === 0) {
      this.#end(step);
      return;
    }
    // What was read before a mutation says nothing about the time after it.
    if (step.shape.kind === 'mutation') this.#entities = new EntityTable();
    const call: FetchCall = {
      shape: step.shape,
      scope: this.#options.scope,
      group: step.group,
      ...this.#urgencyOf(step),
      isBelowRoot,
      representations: [],
      contextVariables: undefined,
      settle: (result, settled) => this.#guard(step, this.#settleRoot(step, result), settled),
    };
    this.#endWhen(step, this.#options.scheduler.load(call));
  }

  *#settleRoot(step: FetchStep, result: FetchResult): SlicedWork {
    this.#notePart(step, result);
    if (result.kind === 'failed') {
      this.#notes.addFailure(step, result.error);
      return;
    }
    this.isEscapeFree &&= result.isEscapeFree;
    yield* this.#notes.addRootErrors(step, result.errors);
    if (result.stale !== undefined) yield* this.#notes.addStaleFields(step, result.stale);
    if (isPlainObject(result.data)) {
      const { data } = result;
      applyRewrites(step.shape.outputRewrites, data, undefined, this.#options.conditions);
      for (const [index, target] of step.collect(this.tree).entries()) {
        const own = index === 0 ? data : structuredClone(data);
        step.shape.merge(target, own, this.#options.conditions.isObjectType);
        if (index > 0) yield;
      }
    } else if (result.errors.length === 0) this.#notes.addInvalid(step, 'data is no object');
  }

  #fetchEntities(step: FetchStep): void {
    this.#inSlices(
      this.#fetchAll(step, step.collect(this.tree)),
      (settled) => this.#endWhen(step, settled),
      (fault) => {
        this.#notes.addInternal(step, fault);
        this.#end(step);
      },
    );
  }

  /** What the step waits for, if there is anything. */
  *#fetchAll(step: FetchStep, targets: readonly ResponseObject[]): SlicedWork<Promise<unknown> | undefined> {
    if (step.context === undefined || targets.length === 0) {
      return yield* this.#fetchTargets(step, targets, undefined);
    }
    // Arguments from context are variables of the whole fetch: objects with different values are asked for apart.
    const values = step.context.read(this.tree, step.path, this.#options.conditions);
    const byValues = new Map<string, { variables: Record<string, unknown>; targets: ResponseObject[] }>();
    for (const target of targets) {
      const variables = values.get(target) ?? {};
      const key = JSON.stringify(step.context.variableNames.map((name) => variables[name] ?? null));
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
  ): SlicedWork<Promise<unknown> | undefined> {
    const { shape } = step;
    const representation = (step.representation as NonNullable<FetchStep['representation']>).after(
      this.errors,
    );
    const slots = this.#entities.slotsFor(
      shape,
      context === undefined ? representation.key : `${representation.key}${context.key}`,
    );
    const fresh: Slot[] = [];
    const texts: string[] = [];
    const late: TroubledEntity[] = [];
    let foreign: Set<Promise<unknown>> | undefined;
    let ofType: TypeSlots | undefined;
    let untilPause = targetsPerPause;
    // What other steps wait for that meet these entities before they have been asked for.
    let announced: PromiseWithResolvers<unknown> | undefined;
    for (const target of targets) {
      if (--untilPause === 0) {
        announced ??= Promise.withResolvers();
        for (let i = fresh.length - 1; i >= 0 && fresh[i]?.settled === undefined; i--) {
          (fresh[i] as Slot).settled = announced.promise;
        }
        untilPause = targetsPerPause;
        yield;
      }
      const read = representation.of(target);
      if (read === undefined) continue;
      if (ofType?.read !== read) ofType = slots.of(read);
      const known = ofType.find(target);
      if (known !== undefined) {
        if (known.entity !== undefined) this.#merge(step, known, target);
        else known.addTarget(target, step);
        if (known.problems.length > 0) late.push({ object: target, problems: known.problems });
        if (!known.isSettled && known.step !== step && known.settled !== undefined) {
          foreign ??= new Set();
          foreign.add(known.settled);
        }
        continue;
      }
      const text = read.text(target);
      if (text === undefined) continue;
      texts.push(text);
      fresh.push(ofType.add(target, step));
    }
    if (late.length > 0) yield* this.#notes.addProblems(step, late);
    if (fresh.length === 0) return foreign === undefined ? undefined : Promise.all(foreign);
    const settled = this.#options.scheduler.load({
      shape,
      scope: this.#options.scope,
      group: step.group,
      ...this.#urgencyOf(step),
      isBelowRoot: false,
      representations: texts,
      contextVariables: context?.variables,
      settle: (result, done) => {
        this.#guard(step, this.#settleEntities(step, fresh, result), () => {
          // The call is remembered as long as the operation runs; what it asked for need not be.
          fresh.length = 0;
          texts.length = 0;
          done();
        });
      },
    });
    for (const slot of fresh) slot.settled = settled;
    announced?.resolve(settled);
    return foreign === undefined ? settled : Promise.all([...foreign, settled]);
  }

  *#settleEntities(step: FetchStep, slots: readonly Slot[], result: FetchResult): SlicedWork {
    this.#notePart(step, result);
    if (result.kind === 'failed') {
      yield* this.#failSlots(slots, [{ reason: result.error, path: undefined }]);
      return;
    }
    this.isEscapeFree &&= result.isEscapeFree;
    const entities = Array.isArray(result.data) ? result.data : [];
    const odd = new Map<Slot, EntityNote[]>();
    // Who meets an entity that has errors still to be told has to wait for them.
    const isClean = result.errors.length === 0 && result.stale === undefined;
    let untilPause = targetsPerPause;
    for (let i = 0; i < slots.length; i++) {
      if (untilPause <= 0) {
        untilPause = targetsPerPause;
        yield;
      }
      untilPause--;
      const slot = slots[i] as Slot;
      const entity: unknown = entities[i];
      if (!isPlainObject(entity)) {
        if (entity === null || entity === undefined) slot.isSettled = isClean;
        else {
          odd.set(slot, [{ reason: invalidAnswer(step, 'an element of _entities is no object'), path: [] }]);
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
    slots: readonly Slot[],
    errors: readonly FetchError[],
    ofSlot: Map<Slot, EntityNote[]>,
    isLost: boolean,
  ): SlicedWork {
    const ofFetch: EntityNote[] = [];
    for (const [index, { entry, entity, path }] of errors.entries()) {
      if (index % errorsPerPause === errorsPerPause - 1) yield;
      const slot = entity === undefined ? undefined : slots[entity];
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
    yield* this.#failSlots(slots, ofFetch, ofSlot);
  }

  /** Keeps the problems and tells each step that waits. */
  *#failSlots(
    slots: readonly Slot[],
    ofFetch: readonly EntityNote[],
    ofSlot: ReadonlyMap<Slot, readonly EntityNote[]> = new Map(),
  ): SlicedWork {
    const byStep = new Map<FetchStep, TroubledEntity[]>();
    for (const [index, slot] of slots.entries()) {
      if (index % errorsPerPause === errorsPerPause - 1) yield;
      slot.isSettled = true;
      const own = ofSlot.get(slot);
      const problems = own === undefined ? ofFetch : ofFetch.length === 0 ? own : [...ofFetch, ...own];
      if (problems.length === 0) continue;
      slot.problems = problems;
      slot.forEachTarget((object, step) => {
        const ofStep = byStep.get(step);
        if (ofStep === undefined) byStep.set(step, [{ object, problems }]);
        else ofStep.push({ object, problems });
      });
    }
    for (const [step, troubled] of byStep) yield* this.#notes.addProblems(step, troubled);
  }

  #merge(step: FetchStep, slot: Slot, target: ResponseObject): void {
    const entity = slot.entity as ResponseObject;
    // Below another step's path the same objects are enriched by other fetches, perhaps under the same names.
    const own =
      (slot.step === step && !this.#wiring.hasContext) || step.shape.isLeafOnly
        ? entity
        : step.shape.copy(entity);
    step.shape.merge(target, own, this.#options.conditions.isObjectType);
  }

  #urgencyOf({ group }: FetchStep): GroupUrgency {
    return this.#options.urgency?.[group] ?? (group === 0 ? ofFirstPayload : ofDeferred);
  }

  /** Without anything to wait for, the next step starts in the same turn. */
  #endWhen(step: FetchStep, settled: Promise<unknown> | undefined): void {
    if (settled === undefined) {
      this.#end(step);
      return;
    }
    this.#fetched.add(step);
    settled.then(
      () => this.#end(step),
      (reason) => {
        this.#notes.addInternal(step, reason);
        this.#end(step);
      },
    );
  }

  /** A fault of the gateway's own fails the one fetch; the operation still ends. */
  #guard(step: FetchStep, take: SlicedWork, done: () => void): void {
    this.#inSlices(take, done, (fault) => {
      this.#notes.addInternal(step, fault);
      done();
    });
  }

  /** Runs work that ends with the execution: then `done` gets `undefined`. */
  #inSlices<Result>(
    work: SlicedWork<Result>,
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
    else inSlices(this.#untilEnd(work), done, fail);
  }

  *#untilEnd<Result>(work: SlicedWork<Result>): SlicedWork<Result | undefined> {
    while (!this.#isEnded) {
      const { done, value } = work.next();
      if (done === true) return value;
      yield;
    }
    return undefined;
  }

  /** What the step's fetch brought goes into the answer, and so into how long the answer may be kept. */
  #notePart(step: FetchStep, result: FetchResult): void {
    const part = (result.kind === 'answered' ? result.caching : undefined) ?? uncached;
    const ofGroup = this.parts[step.group];
    if (ofGroup === undefined) this.parts[step.group] = [part];
    else ofGroup.push(part);
  }
}

const ofFirstPayload: GroupUrgency = { priority: 'primary', budget: undefined };
const ofDeferred: GroupUrgency = { priority: 'critical', budget: undefined };

const uncached: Contribution = { kind: 'uncached' };

/** Long lists pause after so many objects. */
const targetsPerPause = 500;
