import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { workerEntry } from '../../planning/workerEntry.ts';
import type { Drift } from './drift.ts';
import type { DriftAnswer, DriftTask } from './driftWorker.ts';

/** `findDrift` in a thread of its own. Errors: an `Error` that says why it could not be found out; the signal's
 *  reason. */
export async function findDriftInThread(task: DriftTask, signal: AbortSignal): Promise<Drift> {
  signal.throwIfAborted();
  const worker = new Worker(workerEntry('driftWorker', import.meta.url), {
    name: 'tributary-drift',
    workerData: task,
  });
  const end = (): void => void worker.terminate();
  signal.addEventListener('abort', end, { once: true });
  let answer: DriftAnswer | undefined;
  worker.once('message', (message: DriftAnswer) => {
    answer = message;
    end();
  });
  try {
    // Rejects when the thread throws.
    await once(worker, 'exit');
  } finally {
    signal.removeEventListener('abort', end);
  }
  signal.throwIfAborted();
  if (answer?.kind === 'found') return answer.drift;
  throw new Error(answer?.message ?? 'the thread ended without an answer');
}
