import { expiredToken } from '../expiredToken.ts';
import type { EnrichmentUpdate } from '../lateEnrichments.ts';
import type { LateStore } from './lateStore.ts';
import type { LogPage } from './updateLog.ts';

const done = { done: true, value: undefined } as const;

export interface FollowingOptions {
  readonly store: Pick<LateStore, 'read' | 'watch'>;
  readonly workId: string;
  readonly after: string;
  /** The work that the token leads to by now, if any. */
  findAgain(): Promise<string | undefined>;
}

/** What comes for one who follows a token, from after a cursor on. Rejects with `GatewayError` `ENRICHMENT_EXPIRED` where
 *  updates that are still to come are forgotten. */
export class Following implements AsyncIterableIterator<EnrichmentUpdate> {
  readonly #options: FollowingOptions;
  #workId: string;
  #stopWatching: () => void;
  #after: string;
  #arrived: EnrichmentUpdate[] = [];
  #hasChanged = true;
  #hasEnded = false;
  #onChange: () => void = () => {};
  #onReturn: () => void = () => {};
  #lastStep: Promise<unknown> = Promise.resolve();

  constructor(options: FollowingOptions) {
    this.#options = options;
    this.#workId = options.workId;
    this.#after = options.after;
    this.#stopWatching = this.#watch();
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
    const page = (await this.#read()) ?? (await this.#readWhereItLeadsNow());
    if (this.#hasEnded) return;
    if (page === undefined || (page.updates.length === 0 && page.remaining === 0)) this.#end();
    // An end without an error would say that everything has come.
    if (page === undefined) throw expiredToken();
    this.#arrived = updatesOf(page);
    this.#after = page.updates.at(-1)?.cursor ?? this.#after;
  }

  #read(): Promise<LogPage | undefined> {
    return this.#options.store.read(this.#workId, this.#after);
  }

  /** The log is forgotten; the token may lead to the work for an equal job, which was found meanwhile. */
  async #readWhereItLeadsNow(): Promise<LogPage | undefined> {
    const workId = await this.#options.findAgain();
    if (this.#hasEnded || workId === undefined || workId === this.#workId) return undefined;
    this.#stopWatching();
    this.#workId = workId;
    this.#stopWatching = this.#watch();
    return this.#read();
  }

  #watch(): () => void {
    return this.#options.store.watch(this.#workId, () => {
      this.#hasChanged = true;
      this.#onChange();
    });
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
