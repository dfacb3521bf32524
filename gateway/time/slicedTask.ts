/** A computation that may be long, as a generator. It yields about every 0.1 ms, so that other tasks of the event loop can
 *  run in between. A short computation may finish without yielding. */
export type SlicedTask<Result = void> = Generator<void, Result, void>;

/** How long all sliced tasks together may run in one turn of the event loop, in milliseconds. */
const turnBudgetMs = 10;

/** Runs a task and calls `done` with its result, or `fail` with what it threw. The result is there before this returns
 *  if the task does not yield or the current turn has time left. Otherwise the task continues in later turns, in rotation
 *  with other tasks. Returns a function that cancels the task; then neither callback is called.
 *
 *  Callbacks instead of a promise, because a promise that lives as long as a request would keep a large result in memory. */
export function runInSlices<Result>(
  task: SlicedTask<Result>,
  done: (result: Result) => void,
  fail: (error: unknown) => void,
): () => void {
  let first: IteratorResult<void, Result>;
  try {
    first = task.next();
  } catch (error) {
    fail(error);
    return noop;
  }
  // The common case: a task that never yields needs no allocation and no clock.
  if (first.done === true) {
    done(first.value);
    return noop;
  }
  return continueInSlices(task, done, fail);
}

function noop(): void {}

function continueInSlices<Result>(
  task: SlicedTask<Result>,
  done: (result: Result) => void,
  fail: (error: unknown) => void,
): () => void {
  const scheduled: ScheduledTask = {
    step() {
      let step: IteratorResult<void, Result>;
      try {
        step = task.next();
      } catch (error) {
        scheduled.isEnded = true;
        fail(error);
        return;
      }
      if (step.done !== true) return;
      scheduled.isEnded = true;
      done(step.value);
    },
    isEnded: false,
  };
  if (scheduledTasks.length === 0 && !isTurnBudgetSpent()) runForTurn(scheduled);
  if (!scheduled.isEnded) scheduledTasks.push(scheduled);
  return () => {
    scheduled.isEnded = true;
  };
}

/** `runInSlices` with a promise, for results that are small or whose promise does not live long. */
export function resolveInSlices<Result>(task: SlicedTask<Result>): Promise<Result> {
  return new Promise((resolve, reject) => {
    runInSlices(task, resolve, reject);
  });
}

/** Runs a task to its end without yielding to the event loop. */
export function runToCompletion<Result>(task: SlicedTask<Result>): Result {
  for (;;) {
    const step = task.next();
    if (step.done === true) return step.value;
  }
}

interface ScheduledTask {
  isEnded: boolean;
  /** Runs to the next yield. Does not throw what the task throws, but what `done` and `fail` throw. */
  step(): void;
}

const scheduledTasks: ScheduledTask[] = [];
let turnEndsAt = 0;
let isTurnOpen = false;

/** Runs a task while the turn has time left, and at least to its next yield. */
function runForTurn(task: ScheduledTask): void {
  if (!isTurnOpen) {
    isTurnOpen = true;
    turnEndsAt = performance.now() + turnBudgetMs;
    setImmediate(onNextTurn);
  }
  do task.step();
  while (!task.isEnded && performance.now() < turnEndsAt);
}

function isTurnBudgetSpent(): boolean {
  return isTurnOpen && performance.now() >= turnEndsAt;
}

function onNextTurn(): void {
  isTurnOpen = false;
  while (scheduledTasks.length > 0 && !isTurnBudgetSpent()) {
    const task = scheduledTasks.shift() as ScheduledTask;
    // The task was cancelled.
    if (task.isEnded) continue;
    try {
      runForTurn(task);
    } finally {
      if (!task.isEnded) scheduledTasks.push(task);
    }
  }
}
