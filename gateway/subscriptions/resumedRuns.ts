import type { SubscriptionRun } from './subscriptionRun.ts';
import type { SubscriptionRuns } from './subscriptionRuns.ts';

interface Shareable {
  readonly run: SubscriptionRun;
}

export interface ResumedRunsOptions<Live extends Shareable> {
  readonly runs: SubscriptionRuns<Live>;
  /** What makes two of them equal. */
  keyOf(live: Live): string | undefined;
}

/** Subscriptions that have got what their clients had missed, and are no different from others any more: each joins
 *  the one that is equal to it, or becomes the one that others join. All of them get an event in one turn, so that
 *  two of which neither has anything left to send are at the same place. */
export class ResumedRuns<Live extends Shareable> {
  readonly #options: ResumedRunsOptions<Live>;
  readonly #waiting = new Set<Live>();

  constructor(options: ResumedRunsOptions<Live>) {
    this.#options = options;
  }

  get size(): number {
    return this.#waiting.size;
  }

  /** It has caught up. */
  add(live: Live): void {
    // One that was only held up may be what others wait for.
    if (this.#equalTo(live) !== live) this.#waiting.add(live);
    this.share(live);
  }

  delete(live: Live): void {
    this.#waiting.delete(live);
  }

  /** Something has changed for this one, or for those that wait for it. */
  share(live: Live): void {
    if (this.#waiting.size === 0) return;
    // Not in the turn in which some have got an event and others have not.
    queueMicrotask(() => {
      if (this.#waiting.has(live)) this.#shareOne(live);
      else for (const other of [...this.#waiting]) this.#shareOne(other);
    });
  }

  #shareOne(live: Live): void {
    if (!live.run.isIdle) return;
    const equal = this.#equalTo(live);
    if (equal !== undefined && equal !== live && !equal.run.isIdle) return;
    this.#waiting.delete(live);
    const { runs, keyOf } = this.#options;
    if (equal === undefined) runs.rename(live, keyOf(live));
    else if (equal !== live) live.run.moveTo(equal.run);
  }

  #equalTo(live: Live): Live | undefined {
    const { runs, keyOf } = this.#options;
    const key = keyOf(live);
    return key === undefined ? undefined : runs.get(key);
  }
}
