/** Lets tests wait for conditions, which are evaluated after each change. */
export class Changes {
  readonly #checks = new Set<() => void>();

  readonly notify = (): void => {
    for (const check of this.#checks) check();
  };

  /** Resolves when the condition holds, at once if it does already. */
  until(isTrue: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const check = (): void => {
        if (!isTrue()) return;
        this.#checks.delete(check);
        resolve();
      };
      this.#checks.add(check);
      check();
    });
  }
}
