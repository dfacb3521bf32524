const waiting: (() => void)[] = [];

/** Calls `run` when the event loop has handled all that is ready now. What is added meanwhile runs in the same turn, after
 *  all that was added before. */
export function atEndOfTurn(run: () => void): void {
  waiting.push(run);
  if (waiting.length === 1) setImmediate(runAll);
}

function runAll(): void {
  let done = 0;
  try {
    while (done < waiting.length) (waiting[done++] as () => void)();
  } finally {
    waiting.splice(0, done);
    // A function has thrown: the others run in the next turn.
    if (waiting.length > 0) setImmediate(runAll);
  }
}
