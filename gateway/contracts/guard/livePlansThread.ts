import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { QueryPlan } from '../../planning/queryPlan.ts';
import { workerEntry } from '../../planning/workerEntry.ts';
import type { LivePlansTask, TrialAnswer, TrialQuestion, TrialSide } from './livePlansWorker.ts';

export type TrialResult = Extract<TrialAnswer, { readonly problems: unknown }>;

/** `PlanTrial` in a thread of its own, which lasts until it is closed. */
export class LivePlansThread {
  readonly #worker: Worker;
  readonly #gone: Promise<unknown>;
  readonly #open = new Map<number, PromiseWithResolvers<TrialResult>>();
  #lastId = 0;
  #end: Error | undefined;

  constructor(task: LivePlansTask) {
    const entry = workerEntry('livePlansWorker', import.meta.url);
    this.#worker = new Worker(entry, { name: 'tributary-trial', workerData: task });
    this.#worker.on('message', (answer: TrialAnswer) => {
      const asked = this.#open.get(answer.id);
      this.#open.delete(answer.id);
      if ('fault' in answer) asked?.reject(new Error(answer.fault));
      else asked?.resolve(answer);
    });
    // `once` rejects with what the thread threw.
    this.#gone = once(this.#worker, 'exit').then(
      () => this.#stop(new Error('the thread that tries plans has ended')),
      (error: Error) => this.#stop(error),
    );
  }

  /** Errors: an `Error` that says why it could not be found out. */
  try(side: TrialSide, plans: readonly QueryPlan[]): Promise<TrialResult> {
    if (this.#end !== undefined) return Promise.reject(this.#end);
    this.#lastId += 1;
    const asked = Promise.withResolvers<TrialResult>();
    this.#open.set(this.#lastId, asked);
    this.#worker.postMessage({ id: this.#lastId, side, plans } satisfies TrialQuestion);
    return asked.promise;
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
    await this.#gone;
  }

  #stop(reason: Error): void {
    this.#end = reason;
    for (const { reject } of this.#open.values()) reject(reason);
    this.#open.clear();
  }
}
