import type { Drift } from '../../../contracts/drift/drift.ts';
import { workerEntryUrl } from '../../planning/workerEntryUrl.ts';
import { runInThread } from '../../supergraph/runInThread.ts';
import type { DriftReply, DriftTask } from './driftWorker.ts';

/** `findDrift` in a thread of its own. Errors: an `Error` that says why it could not be found out; the signal's
 *  reason. */
export async function findDriftInThread(task: DriftTask, signal: AbortSignal): Promise<Drift> {
  const entry = workerEntryUrl('driftWorker', import.meta.url);
  const answer = await runInThread<DriftReply>({ entry, name: 'tributary-drift', task, signal });
  if (answer.kind === 'found') return answer.drift;
  throw new Error(answer.message);
}
