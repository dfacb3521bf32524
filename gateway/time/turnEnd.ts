/** With as many callers, the wait ends at once. */
const maxWaiting = 16;

let waiting = 0;
let end: PromiseWithResolvers<void> | undefined;

/** Resolves for all callers together: at the end of this turn of the event loop, or as soon as 16 of them wait. */
export function turnEnd(): Promise<void> {
  if (end === undefined) {
    end = Promise.withResolvers();
    setImmediate(endWait);
  }
  const { promise } = end;
  waiting += 1;
  if (waiting === maxWaiting) endWait();
  return promise;
}

/** At the end of the turn, all may have left already. */
function endWait(): void {
  end?.resolve();
  end = undefined;
  waiting = 0;
}
