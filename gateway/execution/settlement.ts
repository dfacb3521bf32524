/** Called when a fetch is settled. `fault`: the fetch could not be sent, because of a fault of the gateway or of the client's
 *  request. */
export type OnSettled = (fault?: unknown) => void;

const none: never[] = [];

/** The end of a fetch that several steps may wait for. A list of callbacks instead of a promise: a fetch has several of these, and
 *  each promise takes a turn of the microtask queue. */
export class Settlement {
  /** `undefined` once settled. `none` is never written to. */
  #waiting: OnSettled[] | undefined = none;
  #fault: unknown;

  /** Calls `onSettled` when the fetch is settled; at once if it is already. */
  wait(onSettled: OnSettled): void {
    if (this.#waiting === undefined) onSettled(this.#fault);
    else if (this.#waiting.length === 0) this.#waiting = [onSettled];
    else this.#waiting.push(onSettled);
  }

  settle(fault?: unknown): void {
    const waiting = this.#waiting ?? none;
    this.#waiting = undefined;
    this.#fault = fault;
    for (const onSettled of waiting) onSettled(fault);
  }
}

/** Calls `onSettled` once: when all are settled, or one has a fault. */
export function waitForAll(settlements: readonly Settlement[], onSettled: OnSettled): void {
  const [only] = settlements;
  if (only !== undefined && settlements.length === 1) {
    only.wait(onSettled);
    return;
  }
  let open = settlements.length;
  for (const settlement of settlements) {
    settlement.wait((fault) => {
      if (open === 0) return;
      open = fault === undefined ? open - 1 : 0;
      if (open === 0) onSettled(fault);
    });
  }
}
