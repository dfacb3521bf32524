/** Longer responses do not wait: their clients would send the next requests at the same moment. In bytes. */
const maxSize = 16 * 1024;
/** With as many responses, the wait ends at once. */
const maxWaiting = 16;

let waiting = 0;
let end: PromiseWithResolvers<void> | undefined;

/** Lets small responses be written in a row: a write that wakes the program which reads it takes thrice as long as one to a
 *  program that is awake. `size`: what is to be written, in bytes or characters. The promise resolves for all that wait
 *  together: at the end of this turn of the event loop, or as soon as 16 of them wait. A large response need not wait. */
export function waitToWrite(size: number): Promise<void> | undefined {
  if (size > maxSize) return undefined;
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
