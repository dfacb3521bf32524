import type { JobState, JobView } from './jobAdmin.ts';
import type { JobRun, JobRunFailure } from './jobStore.ts';

/** How operators see a work. */
export function jobViewOf(
  state: JobState,
  { id, job, createdAt }: JobRun & { readonly createdAt: number },
  failure: JobRunFailure | undefined,
  now: number,
): JobView {
  return {
    id,
    state,
    coordinates: [...new Set(job.fields.map(({ coordinate }) => coordinate))],
    attempts: failure?.attempts ?? 0,
    error: failure?.error,
    ageMs: Math.max(0, now - createdAt),
  };
}
