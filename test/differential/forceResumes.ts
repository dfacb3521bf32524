import { jest } from '@jest/globals';
import { Enriching } from '../../gateway/enriched-answers/enriching.ts';
import type { EnrichmentJob, EnrichmentRun } from '../../gateway/enrichment/enrichmentJob.ts';

export interface ForcedResumes extends Disposable {
  /** How many runs were ended. */
  readonly count: number;
}

/** Until it is disposed of, the execution that is under way brings nothing of what first answers of this process leave
 *  out: all of it comes from an execution that resumes from the snapshot. */
export function forceResumes(): ForcedResumes {
  let count = 0;
  const { handOver } = Enriching.prototype;
  const spy = jest.spyOn(Enriching.prototype, 'handOver').mockImplementation(function (
    this: Enriching,
    job,
    run,
    request,
  ) {
    count += 1;
    return handOver.call(this, job, failingRun(job, run), request);
  });
  return {
    get count() {
      return count;
    },
    [Symbol.dispose]: () => spy.mockRestore(),
  };
}

function failingRun({ places }: EnrichmentJob, run: EnrichmentRun): EnrichmentRun {
  return {
    results: (take) => {
      run.cancel();
      for (const { key, path } of places) {
        take({ key, path, data: null, errors: [{ message: 'Ended by the test.' }], isRetryable: true });
      }
      return Promise.resolve();
    },
    cancel: () => run.cancel(),
  };
}
