import type { EnrichmentUpdate } from '../deferredEnrichments.ts';
import { expiredTokenError } from '../expiredTokenError.ts';
import type { JobStore } from './jobStore.ts';
import type { LogPage } from './updateLog.ts';

const iterationEnd = { done: true, value: undefined } as const;

interface UpdateSubscriptionOptions {
  readonly store: Pick<JobStore, 'read' | 'watch'>;
  readonly runId: string;
  readonly after: string;
  /** Resolves with the id of the run that the token belongs to by now. */
  findCurrentRun(): Promise<string | undefined>;
}

/** The updates of a token after a cursor, for one subscriber. `next()` rejects with a `GatewayError`
 *  `ENRICHMENT_EXPIRED` when the log is evicted before the last update. */
export class UpdateSubscription implements AsyncIterableIterator<EnrichmentUpdate> {
  readonly #options: UpdateSubscriptionOptions;
  #runId: string;
  #stopWatching: () => void;
  #after: string;
  #buffered: EnrichmentUpdate[] = [];
  #hasChanged = true;
  #hasEnded = false;
  #onChange: () => void = () => {};
  #onReturn: () => void = () => {};
  #lastStep: Promise<unknown> = Promise.resolve();

  constructor(options: UpdateSubscriptionOptions) {
    this.#options = options;
    this.#runId = options.runId;
    this.#after = options.after;
    this.#stopWatching = this.#watch();
  }

  next(): Promise<IteratorResult<EnrichmentUpdate>> {
    const step = this.#lastStep.then(() => this.#step());
    // After a rejection, iterators call no `return()`.
    this.#lastStep = step.catch(() => this.#end());
    return step;
  }

  async return(): Promise<IteratorResult<EnrichmentUpdate>> {
    this.#end();
    this.#buffered = [];
    this.#onReturn();
    return iterationEnd;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async #step(): Promise<IteratorResult<EnrichmentUpdate>> {
    for (;;) {
      const update = this.#buffered.shift();
      if (update !== undefined) {
        if (!update.hasNext) this.#end();
        return { done: false, value: update };
      }
      if (this.#hasEnded) return iterationEnd;
      if (this.#hasChanged) {
        this.#hasChanged = false;
        await this.#settledOrReturned(this.#readNext());
      } else {
        await this.#settledOrReturned(this.#nextChange());
      }
    }
  }

  async #readNext(): Promise<void> {
    const page = (await this.#read()) ?? (await this.#readCurrentRun());
    if (this.#hasEnded) return;
    // Without the error, the client would take the end for the last update.
    if (page === undefined) throw expiredTokenError();
    if (page.updates.length === 0 && page.remaining === 0) this.#end();
    this.#buffered = updatesOf(page);
    this.#after = page.updates.at(-1)?.cursor ?? this.#after;
  }

  #read(): Promise<LogPage | undefined> {
    return this.#options.store.read(this.#runId, this.#after, true);
  }

  /** Continues with the run of an equal job, if the token belongs to one by now. */
  async #readCurrentRun(): Promise<LogPage | undefined> {
    const runId = await this.#options.findCurrentRun();
    if (this.#hasEnded || runId === undefined || runId === this.#runId) return undefined;
    this.#stopWatching();
    this.#runId = runId;
    this.#stopWatching = this.#watch();
    return this.#read();
  }

  #watch(): () => void {
    return this.#options.store.watch(this.#runId, () => {
      this.#hasChanged = true;
      this.#onChange();
    });
  }

  #nextChange(): Promise<void> {
    return new Promise((resolve) => {
      this.#onChange = resolve;
    });
  }

  /** Settles with `event`, or resolves when `return()` is called: a read may take long. */
  #settledOrReturned(event: Promise<void>): Promise<void> {
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

/** The updates of a page, as clients get them. */
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
