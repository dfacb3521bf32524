import { expect, test } from '@jest/globals';
import type { JobAdmin, JobView, RetryResult } from '../../../../gateway/enrichment/jobs/jobAdmin.ts';
import { WorkerJobAdmin } from '../../../../gateway/enrichment/jobs/workerJobAdmin.ts';
import type { OtherWorkers } from '../../../../gateway/telemetry/workerMetrics.ts';

/** Three workers whose calls reach each other. */
function startWorkers(jobsOf: readonly (readonly [id: string, ageMs: number, result: RetryResult])[][]) {
  const handlers = jobsOf.map(() => new Map<string, (body: string) => Promise<string>>());
  return jobsOf.map((jobs, index) => {
    const own: JobAdmin = {
      list: async ({ limit }) =>
        jobs.slice(0, limit).map(([id, ageMs, result]): JobView => {
          const state = result === 'retried' ? 'failed' : 'waiting';
          return { id, state, coordinates: ['Product.advice'], attempts: 1, error: undefined, ageMs };
        }),
      retry: async (id) => jobs.find(([own]) => own === id)?.[2] ?? 'unknown',
    };
    const workers: OtherWorkers = {
      worker: { name: String(index), directory: '' },
      handle: (name, handler) => void handlers[index]?.set(name, handler),
      callOthers: async (name, body = '') => {
        const answers = new Map<string, string>();
        for (const [other, handlersOf] of handlers.entries())
          if (other !== index) answers.set(String(other), await (handlersOf.get(name)?.(body) ?? ''));
        return { answers, silent: 0 };
      },
    };
    return new WorkerJobAdmin(own, workers);
  });
}

const [first, second] = startWorkers([
  [
    ['a', 30, 'retried'],
    ['b', 10, 'not failed'],
  ],
  [['c', 20, 'retried']],
  [['d', 40, 'not failed']],
]) as [WorkerJobAdmin, WorkerJobAdmin];

test('Any worker lists the jobs of all workers, the newest first, at most the limit of each state', async () => {
  const ids = async (limit: number) =>
    (await second.list({ state: undefined, limit })).map(({ id, state }) => `${id} ${state}`);
  expect(await ids(10)).toEqual(['b waiting', 'c failed', 'a failed', 'd waiting']);
  expect(await ids(1)).toEqual(['c failed', 'd waiting']);
});

test('Any worker retries the dead letter of another one, and says why a job cannot be retried', async () => {
  const results = await Promise.all(['a', 'c', 'd', 'none'].map((id) => first.retry(id)));
  expect(results).toEqual(['retried', 'retried', 'not failed', 'unknown']);
});
