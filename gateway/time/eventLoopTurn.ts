/** How long all callers of `waitForTurn` together may run in one turn of the event loop, in milliseconds. */
const turnBudgetMs = 10;

const waiting: (() => void)[] = [];
let turnEndsAt = 0;
let isTurnOpen = false;

/** For many short pieces of work that become ready at the same moment, such as an event for thousands of subscriptions.
 *  Returns `undefined` if the piece may run now. Otherwise, the pieces of this turn have used up their time, and the promise
 *  resolves in a later turn, in the order of the calls. */
export function waitForTurn(): Promise<void> | undefined {
  if (!isTurnOpen) {
    isTurnOpen = true;
    turnEndsAt = performance.now() + turnBudgetMs;
    setImmediate(onNextTurn);
    return undefined;
  }
  if (waiting.length === 0 && performance.now() < turnEndsAt) return undefined;
  return new Promise((resolve) => waiting.push(resolve));
}

function onNextTurn(): void {
  isTurnOpen = waiting.length > 0;
  if (!isTurnOpen) return;
  setImmediate(onNextTurn);
  turnEndsAt = performance.now() + turnBudgetMs;
  resumeNext();
}

/** Pieces run in microtasks. When all of these have ended, the next piece runs if the turn has time left. */
function resumeNext(): void {
  waiting.shift()?.();
  if (waiting.length > 0) queueMicrotask(() => process.nextTick(continueTurn));
}

function continueTurn(): void {
  if (performance.now() < turnEndsAt) resumeNext();
}
