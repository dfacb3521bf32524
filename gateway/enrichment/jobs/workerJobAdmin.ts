import type { OtherWorkers } from '../../telemetry/workerMetrics.ts';
import {
  type JobAdmin,
  type JobQuery,
  type JobView,
  newestOfEachState,
  type RetryResult,
} from './jobAdmin.ts';

/** The jobs of all workers of a gateway without Redis, in which each worker has jobs of its own. */
export class WorkerJobAdmin implements JobAdmin {
  readonly #own: JobAdmin;
  readonly #workers: OtherWorkers;

  constructor(own: JobAdmin, workers: OtherWorkers) {
    this.#own = own;
    this.#workers = workers;
    workers.handle(listCall, async (query) => JSON.stringify(await own.list(JSON.parse(query))));
    workers.handle(retryCall, (id) => own.retry(id));
  }

  async list(query: JobQuery): Promise<readonly JobView[]> {
    const [own, { answers }] = await Promise.all([
      this.#own.list(query),
      this.#workers.callOthers(listCall, JSON.stringify(query)),
    ]);
    const others = Array.from(answers.values(), (answer) => JSON.parse(answer) as readonly JobView[]);
    return newestOfEachState([own, ...others].flat(), query);
  }

  async retry(id: string): Promise<RetryResult> {
    const own = await this.#own.retry(id);
    if (own !== 'unknown') return own;
    const { answers } = await this.#workers.callOthers(retryCall, id);
    return ([...answers.values()] as RetryResult[]).find((result) => result !== 'unknown') ?? 'unknown';
  }
}

/** Calls from worker to worker. */
const listCall = 'jobs';
const retryCall = 'retry-job';
