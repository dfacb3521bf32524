/** Lets what belongs together happen in the order in which it came, however long each takes to be ready. */
export class Turns {
  readonly #last = new Map<string, Promise<unknown>>();

  /** Calls `act` with what `ready` resolves to, when all that came earlier with this key has been acted on or has
   *  failed. Rejects as `ready` and `act` do. */
  async take<Value, Result>(
    key: string,
    ready: Promise<Value>,
    act: (value: Value) => Result | Promise<Result>,
  ): Promise<Result> {
    const turn = actAfter(this.#last.get(key), ready, act);
    this.#last.set(key, turn);
    try {
      return await turn;
    } finally {
      if (this.#last.get(key) === turn) this.#last.delete(key);
    }
  }
}

async function actAfter<Value, Result>(
  before: Promise<unknown> | undefined,
  ready: Promise<Value>,
  act: (value: Value) => Result | Promise<Result>,
): Promise<Result> {
  await Promise.allSettled([before, ready]);
  return act(await ready);
}
