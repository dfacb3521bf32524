import type { EnrichmentUpdate } from '../lateEnrichments.ts';
import type { LateStore } from './lateStore.ts';
import type { LogPage } from './updateLog.ts';

const done = { done: true, value: undefined } as const;

/** What comes for one who follows a work, from after a cursor on. */
export class Following implements AsyncIterableIterator<EnrichmentUpdate> {
  readonly #store: Pick<LateStore, 'read' | 'watch'>;
  readonly #workId: string;
  readonly #stopWatching: () => void;
  #after: string;
  #arrived: EnrichmentUpdate[] = [];
  #hasChanged = true;
  #hasEnded = false;
  #onChange: () => void = () => {};
  #onReturn: () => void = () => {};
  #lastStep: Promise<unknown> = Promise.resolve();

  constructor(store: Pick<LateStore, 'read' | 'watch'>, workId: string, after: string) {
    this.#store = store;
    this.#workId = workId;
    this.#after = after;
    this.#stopWatching = store.watch(workId, () => {
      this.#hasChanged = true;
      this.#onChange();
    });
  }

  next(): Promise<IteratorResult<EnrichmentUpdate>> {
    const step = this.#lastStep.then(() => this.#step());
    this.#lastStep = step.catch(() => undefined);
    return step;
  }

  async return(): Promise<IteratorResult<EnrichmentUpdate>> {
    this.#end();
    this.#arrived = [];
    this.#onReturn();
    return done;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async #step(): Promise<IteratorResult<EnrichmentUpdate>> {
    for (;;) {
      const update = this.#arrived.shift();
      if (update !== undefined) {
        if (!update.hasNext) this.#end();
        return { done: false, value: update };
      }
      if (this.#hasEnded) return done;
      if (this.#hasChanged) {
        this.#hasChanged = false;
        await this.#orReturned(this.#readOn());
      } else {
        await this.#orReturned(this.#changed());
      }
    }
  }

  async #readOn(): Promise<void> {
    const page = await this.#store.read(this.#workId, this.#after);
    if (this.#hasEnded) return;
    if (page === undefined || (page.updates.length === 0 && page.remaining === 0)) {
      this.#end();
      return;
    }
    this.#arrived = updatesOf(page);
    this.#after = page.updates.at(-1)?.cursor ?? this.#after;
  }

  #changed(): Promise<void> {
    return new Promise((resolve) => {
      this.#onChange = resolve;
    });
  }

  /** Settles with the event, or resolves when the follower leaves: what is read may take long to come. */
  #orReturned(event: Promise<void>): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#onReturn = resolve;
      event.then(resolve, reject);
    });
  }

  #end(): void {
    this.#hasEnded = true;
    this.#stopWatching();
  }
}

/** The updates of a page as clients get them. */
export function updatesOf({ updates, remaining }: LogPage): EnrichmentUpdate[] {
  return updates.map(({ path, data, errors, cursor }, index) => ({
    path,
    label: null,
    data,
    errors,
    hasNext: index < updates.length - 1 || remaining > 0,
    cursor,
  }));
}
