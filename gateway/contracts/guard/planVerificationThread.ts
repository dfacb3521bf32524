import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { QueryPlan } from '../../planning/queryPlan.ts';
import { threadStackSizeMb } from '../../planning/threadStack.ts';
import { workerEntryUrl } from '../../planning/workerEntryUrl.ts';
import type {
  PlanVerificationReply,
  PlanVerificationRequest,
  PlanVerificationTask,
  SupergraphRole,
} from './planVerificationWorker.ts';

type PlanVerificationResult = Extract<PlanVerificationReply, { readonly problems: unknown }>;

/** `PlanVerifier` in its own thread, which runs until it is closed. */
export class PlanVerificationThread {
  readonly #worker: Worker;
  readonly #exited: Promise<unknown>;
  readonly #pending = new Map<number, PromiseWithResolvers<PlanVerificationResult>>();
  #lastId = 0;
  #exitError: Error | undefined;

  constructor(task: PlanVerificationTask) {
    const entry = workerEntryUrl('planVerificationWorker', import.meta.url);
    this.#worker = new Worker(entry, {
      name: 'tributary-verify',
      workerData: task,
      resourceLimits: { stackSizeMb: threadStackSizeMb },
    });
    this.#worker.on('message', (reply: PlanVerificationReply) => {
      const pending = this.#pending.get(reply.id);
      this.#pending.delete(reply.id);
      if ('fault' in reply) pending?.reject(new Error(reply.fault));
      else pending?.resolve(reply);
    });
    // `once` rejects with the error of the thread.
    this.#exited = once(this.#worker, 'exit').then(
      () => this.#stop(new Error('the thread that verifies plans has ended')),
      (error: Error) => this.#stop(error),
    );
  }

  /** Verifies plans of the next or the current supergraph.
   *  @throws {Error} when the thread failed or has ended. */
  verify(role: SupergraphRole, plans: readonly QueryPlan[]): Promise<PlanVerificationResult> {
    if (this.#exitError !== undefined) return Promise.reject(this.#exitError);
    this.#lastId += 1;
    const pending = Promise.withResolvers<PlanVerificationResult>();
    this.#pending.set(this.#lastId, pending);
    this.#worker.postMessage({ id: this.#lastId, role, plans } satisfies PlanVerificationRequest);
    return pending.promise;
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
    await this.#exited;
  }

  #stop(reason: Error): void {
    this.#exitError = reason;
    for (const { reject } of this.#pending.values()) reject(reason);
    this.#pending.clear();
  }
}
