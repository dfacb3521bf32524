import { jest } from '@jest/globals';
import type { EnrichmentJob, JobAttempt } from '../../gateway/enrichment/enrichmentJob.ts';
import { EnrichmentCoordinator } from '../../gateway/enrichment/responses/enrichmentCoordinator.ts';

interface ForcedResumes extends Disposable {
  /** The number of attempts that were ended. */
  readonly count: number;
}

/** Until its disposal, ends the original execution of each enrichment job of this process, so that all pending fields
 *  come from an execution that resumes from the snapshot. */
export function forceResumes(): ForcedResumes {
  let count = 0;
  const { enqueue } = EnrichmentCoordinator.prototype;
  const spy = jest.spyOn(EnrichmentCoordinator.prototype, 'enqueue').mockImplementation(function (
    this: EnrichmentCoordinator,
    job,
    attempt,
    request,
  ) {
    count += 1;
    return enqueue.call(this, job, createFailingAttempt(job, attempt), request);
  });
  return {
    get count() {
      return count;
    },
    [Symbol.dispose]: () => spy.mockRestore(),
  };
}

function createFailingAttempt({ fields }: EnrichmentJob, attempt: JobAttempt): JobAttempt {
  return {
    collect: (onResult) => {
      attempt.cancel();
      for (const { key, path } of fields) {
        onResult({ key, path, data: null, errors: [{ message: 'Ended by the test.' }], isRetryable: true });
      }
      return Promise.resolve();
    },
    cancel: () => attempt.cancel(),
  };
}
