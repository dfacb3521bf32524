import type { CachingContributions } from './cachingContributions.ts';
import {
  ExecutionDiagnostics,
  type ExecutionError,
  type FaultListener,
  type StaleValue,
} from './executionDiagnostics.ts';
import type { ExecutionObserver } from './executionObserver.ts';
import type { FetchScheduler } from './fetchScheduler.ts';
import type { SharedObjects } from './internedTargets.ts';
import type { FetchStep, Program } from './program.ts';
import { type ProgramIndex, programIndexOf } from './programIndex.ts';
import { pathText, providersByPath } from './providersByPath.ts';
import type { RequestContext } from './requestContext.ts';
import type { ResponseObject } from './responseTree.ts';
import { ResultMerger } from './resultMerger.ts';
import { type DataNullCheck, type GroupUrgency, StepRunner } from './stepRunner.ts';
import { isTransientFailure } from './subgraphFailure.ts';
import type { TypeConditions } from './typeConditions.ts';

export interface ExecutionOptions extends FaultListener {
  readonly program: Program;
  readonly requestContext: RequestContext;
  readonly scheduler: FetchScheduler;
  readonly conditions: TypeConditions;
  /** By delivery group; omitted for an operation without enrichments. */
  readonly urgency?: readonly GroupUrgency[] | undefined;
  /** Omitted for an operation that is not a mutation. */
  readonly isDataNullBefore?: DataNullCheck | undefined;
  /** Omitted if the execution is not observed. */
  readonly observer?: ExecutionObserver | undefined;
  /** Omitted for an execution that begins with its first step. */
  readonly resume?: ResumedExecution | undefined;
}

/** The remaining work of an execution that began elsewhere. */
export interface ResumedExecution {
  readonly tree: ResponseObject;
  /** Indices of the steps to run. All others count as ended. */
  readonly steps: ReadonlySet<number>;
  /** Errors of the steps that have ended. */
  readonly errors: readonly ExecutionError[];
}

interface FieldSource {
  /** Of the field, or of the input that is missing for its fetch. */
  readonly path: string;
  readonly subgraph: string;
}

/** Runs one program: starts each step when the steps that it depends on have ended, and reports each delivery group
 *  when all its steps have. */
export class Execution {
  readonly tree: ResponseObject;
  readonly errors: readonly ExecutionError[];
  readonly staleValues: readonly StaleValue[];
  readonly cachingContributions: CachingContributions;
  /** What observes the execution, which also receives the events of its response. */
  readonly observer: ExecutionObserver | undefined;
  readonly #program: Program;
  readonly #scheduler: FetchScheduler;
  readonly #programIndex: ProgramIndex;
  readonly #results: ResultMerger;
  readonly #runner: StepRunner;
  /** Per step: how many steps it still waits for. */
  readonly #openDependencies: number[];
  readonly #isStepDone: boolean[];
  #isStarted = false;
  #hasEndedSteps = false;
  /** Per delivery group: how many of its steps have not ended. */
  readonly #openSteps: number[];
  #onGroupComplete: (group: number) => void = () => {};

  constructor(options: ExecutionOptions) {
    const { resume, program } = options;
    this.#program = program;
    this.#scheduler = options.scheduler;
    this.observer = options.observer;
    this.tree = resume?.tree ?? {};
    const diagnostics = new ExecutionDiagnostics(this.tree, program, resume?.errors ?? [], options);
    this.errors = diagnostics.errors;
    this.staleValues = diagnostics.staleValues;
    this.#results = new ResultMerger(options, this.tree, diagnostics);
    this.cachingContributions = this.#results.cachingContributions;
    this.#runner = new StepRunner(options, this.tree, diagnostics, this.#results, (step) =>
      this.#completeStep(step),
    );
    this.#programIndex = programIndexOf(program);
    const { dependencyCounts, stepCounts } = this.#programIndex;
    this.#isStepDone = dependencyCounts.map(() => false);
    this.#openDependencies = dependencyCounts.slice();
    this.#openSteps = stepCounts.slice();
    if (resume !== undefined) this.#skipEndedSteps(resume.steps);
  }

  #skipEndedSteps(remaining: ReadonlySet<number>): void {
    const { steps, groups } = this.#program;
    const isOpen = (index: number): boolean => remaining.has(index);
    for (const step of steps) {
      this.#isStepDone[step.index] = !isOpen(step.index);
      this.#openDependencies[step.index] = step.dependsOn.filter(isOpen).length;
    }
    for (const [group, { steps: own }] of groups.entries())
      this.#openSteps[group] = own.filter(isOpen).length;
  }

  /** Which subgraph's fetch provides the field at a path of internal names, joined by dots; the first one if there are
   *  several. `object`: the object that lacks the field. If it also lacks an input of that fetch, the fetch was not sent for
   *  it, and the source is that of the input. `before`: only steps before this one count. */
  sourceOf(
    path: string,
    object: ResponseObject | undefined,
    before = this.#program.steps.length,
  ): FieldSource | undefined {
    this.#programIndex.providers ??= providersByPath(this.#program.steps);
    const [first = before] = this.#programIndex.providers.get(path) ?? [];
    const step = first < before ? this.#program.steps[first] : undefined;
    if (step === undefined) return undefined;
    const parent = pathText(step.path);
    const isOfTarget = path.lastIndexOf('.') === parent.length;
    const input = object && isOfTarget ? step.representationReader?.missingInputOf(object) : undefined;
    const source = input === undefined ? undefined : this.sourceOf(`${parent}.${input}`, object, first);
    return source ?? { path, subgraph: step.shape.subgraph };
  }

  /** No string of the response tree needs an escape sequence in JSON. */
  get isEscapeFree(): boolean {
    return this.#results.isEscapeFree;
  }

  /** See `createInterningCollector`. */
  get sharedObjects(): SharedObjects {
    return this.#runner.sharedObjects;
  }

  /** Adds values that no fetch brings, such as introspection results. */
  addToTree(values: ResponseObject): void {
    Object.assign(this.tree, values);
    this.#results.isEscapeFree = false;
  }

  get isStarted(): boolean {
    return this.#isStarted;
  }

  /** Whether the response tree may have data of a fetch. */
  get hasEndedSteps(): boolean {
    return this.#hasEndedSteps;
  }

  /** Indices of the steps that failed, or had errors in their responses; `undefined` for none. */
  get failedSteps(): ReadonlySet<number> | undefined {
    return this.errors.length === 0 ? undefined : new Set(this.errors.map(({ step }) => step));
  }

  /** Whether all fetches of a delivery group have ended. */
  isComplete(group: number): boolean {
    return this.#openSteps[group] === 0;
  }

  /** Whether a fetch for data of a delivery group was sent. No fetch is sent when there are no objects to fetch for. */
  hasFetched(group: number): boolean {
    const { steps, groups } = this.#program;
    return (
      groups[group]?.dataSteps.some((index) => this.#runner.hasFetched(steps[index] as FetchStep)) ?? false
    );
  }

  /** Errors of these groups, the primary data excluded, that a later attempt may mend. Includes those of fetches that
   *  bring inputs from other groups. */
  transientErrorsOf(groups: Iterable<number>): readonly ExecutionError[] {
    if (this.errors.length === 0) return [];
    const steps = new Set(Array.from(groups, (group) => this.#program.groups[group]?.steps ?? []).flat());
    return this.errors.filter(
      ({ step, group, reason }) => group > 0 && steps.has(step) && isTransientFailure(reason),
    );
  }

  /** Indices of the steps that these groups still wait for. Steps of `repeated` count as not ended, and so do the
   *  steps that depend on them. */
  remainingSteps(groups: readonly number[], repeated: ReadonlySet<number>): ReadonlySet<number> {
    const needed = new Set<number>();
    const next = groups.flatMap((group) => this.#program.groups[group]?.steps ?? []);
    for (let index = next.pop(); index !== undefined; index = next.pop()) {
      if (needed.has(index)) continue;
      needed.add(index);
      next.push(...(this.#program.steps[index] as FetchStep).dependsOn);
    }
    const remaining = new Set<number>();
    const add = (index: number): void => {
      if (!needed.has(index) || remaining.has(index)) return;
      remaining.add(index);
      for (const dependent of this.#programIndex.dependents[index] ?? []) add(dependent);
    };
    for (const index of needed) if (!this.#isStepDone[index] || repeated.has(index)) add(index);
    return remaining;
  }

  /** `onGroupComplete` is called once for each delivery group when all its fetches have ended, in ascending order for
   *  groups that end at the same moment. */
  start(onGroupComplete: (group: number) => void): void {
    this.#isStarted = true;
    this.#onGroupComplete = onGroupComplete;
    this.#openSteps.forEach((open, group) => {
      if (open === 0) onGroupComplete(group);
    });
    // Collected before the first one runs: a step that ends at once starts its dependents.
    const ready = this.#program.steps.filter(
      ({ index }) => this.#openDependencies[index] === 0 && !this.#isStepDone[index],
    );
    this.#scheduler.sendTogether(() => {
      for (const step of ready) this.#runStep(step);
    });
  }

  /** Cancels the calls that no other request shares. No group is reported any more. */
  cancel(): void {
    this.#runner.isEnded = true;
    this.#scheduler.cancel();
  }

  /** Releases the memory that the remaining steps do not need. For executions that continue for long after their first
   *  response: every garbage collection until their end would copy that memory. */
  releaseCompleted(): void {
    const remaining = this.#program.steps.filter(({ index }) => !this.#isStepDone[index]);
    const parts = remaining.flatMap((step) => [step, ...(step.parts ?? [])]);
    this.#runner.retainShapes(new Set(parts.map(({ shape }) => shape)));
    this.#scheduler.release();
  }

  /** Releases everything, once the response is written. See `EntityTable.release`. */
  release(): void {
    for (const key of Object.keys(this.tree)) this.tree[key] = undefined;
    this.#runner.release(this.#scheduler.fetchingMs);
    this.#scheduler.release();
  }

  #runStep(step: FetchStep): void {
    this.observer?.onStepStart(step);
    this.#runner.run(step);
  }

  #completeStep(step: FetchStep): void {
    if (this.#runner.isEnded || this.#isStepDone[step.index]) return;
    this.#isStepDone[step.index] = true;
    this.#hasEndedSteps = true;
    this.observer?.onStepEnd(step);
    for (const index of this.#programIndex.dependents[step.index] ?? []) {
      const open = (this.#openDependencies[index] as number) - 1;
      this.#openDependencies[index] = open;
      if (open === 0) this.#runStep(this.#program.steps[index] as FetchStep);
    }
    for (const group of this.#programIndex.groupsOfStep[step.index] ?? []) {
      const open = (this.#openSteps[group] as number) - 1;
      this.#openSteps[group] = open;
      if (open === 0) this.#onGroupComplete(group);
    }
  }
}
