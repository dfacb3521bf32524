import type { JobState, JobView } from './jobAdmin.ts';
import type { NewWork, WorkFailure } from './lateStore.ts';

/** How operators see a work. */
export function viewOf(
  state: JobState,
  { id, job, begunAt }: NewWork & { readonly begunAt: number },
  failure: WorkFailure | undefined,
  now: number,
): JobView {
  return {
    id,
    state,
    coordinates: [...new Set(job.places.map(({ coordinate }) => coordinate))],
    attempts: failure?.attempts ?? 0,
    error: failure?.error,
    ageMs: Math.max(0, now - begunAt),
  };
}
