/** Work that may be long, as a generator: it yields about every tenth of a millisecond, and often enough for the
 *  whole of it to be short where there is little to do. */
export type SlicedTask<Result = void> = Generator<void, Result, void>;

/** What all long work together may take of one turn of the event loop, in milliseconds. */
const turnBudgetMs = 10;

/** Runs work to its end and hands its result over by a call: at once where the work never yields or this turn has
 *  time left for it, else in as many turns as it needs, between which the event loop does everything else. Long
 *  works take turns. A fault of the work goes to `fail`. Returns what ends the work, after which neither is called.
 *
 *  No promise: one that lives as long as a request would keep a large result alive. */
export function runInSlices<Result>(
  work: SlicedTask<Result>,
  done: (result: Result) => void,
  fail: (fault: unknown) => void,
): () => void {
  let first: IteratorResult<void, Result>;
  try {
    first = work.next();
  } catch (fault) {
    fail(fault);
    return noop;
  }
  // Mostly all ends here, without anything made and without a look at the clock.
  if (first.done === true) {
    done(first.value);
    return noop;
  }
  return continueInSlices(work, done, fail);
}

function noop(): void {}

function continueInSlices<Result>(
  work: SlicedTask<Result>,
  done: (result: Result) => void,
  fail: (fault: unknown) => void,
): () => void {
  const job: ScheduledTask = {
    step() {
      let step: IteratorResult<void, Result>;
      try {
        step = work.next();
      } catch (fault) {
        job.isEnded = true;
        fail(fault);
        return;
      }
      if (step.done !== true) return;
      job.isEnded = true;
      done(step.value);
    },
    isEnded: false,
  };
  if (scheduledTasks.length === 0 && !isTurnBudgetSpent()) runForTurn(job);
  if (!job.isEnded) scheduledTasks.push(job);
  return () => {
    job.isEnded = true;
  };
}

/** The same with a promise, for results that are small or held by something that lets go of them. */
export function resolveInSlices<Result>(work: SlicedTask<Result>): Promise<Result> {
  return new Promise((resolve, reject) => {
    runInSlices(work, resolve, reject);
  });
}

/** Runs work to its end here and now. */
export function runToCompletion<Result>(work: SlicedTask<Result>): Result {
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
  }
}

interface ScheduledTask {
  isEnded: boolean;
  /** Goes on to the next yield. Never throws for the work's fault; what `done` and `fail` throw comes through. */
  step(): void;
}

const scheduledTasks: ScheduledTask[] = [];
let turnEndsAt = 0;
let isTurnOpen = false;

/** Goes on with a job as long as this turn has time, and at least to its next pause. */
function runForTurn(job: ScheduledTask): void {
  if (!isTurnOpen) {
    isTurnOpen = true;
    turnEndsAt = performance.now() + turnBudgetMs;
    setImmediate(onNextTurn);
  }
  do job.step();
  while (!job.isEnded && performance.now() < turnEndsAt);
}

function isTurnBudgetSpent(): boolean {
  return isTurnOpen && performance.now() >= turnEndsAt;
}

function onNextTurn(): void {
  isTurnOpen = false;
  while (scheduledTasks.length > 0 && !isTurnBudgetSpent()) {
    const job = scheduledTasks.shift() as ScheduledTask;
    // Ended from outside.
    if (job.isEnded) continue;
    try {
      runForTurn(job);
    } finally {
      if (!job.isEnded) scheduledTasks.push(job);
    }
  }
}
