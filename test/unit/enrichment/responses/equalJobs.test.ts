import { describe, expect, test } from '@jest/globals';
import { EqualJobs, type JobLatencyListener } from '../../../../gateway/enrichment/responses/equalJobs.ts';

function createRecordingListener(): JobLatencyListener & { readonly reports: readonly string[] } {
  const reports: string[] = [];
  return {
    reports,
    onReady: (enrichment) => reports.push(`ready ${enrichment}`),
    onAbandoned: () => reports.push('abandoned'),
  };
}

describe('a request whose job an equal job executes', () => {
  test('learns when an enrichment is ready, and nothing about other jobs', () => {
    const rests = new EqualJobs();
    const [one, other] = [createRecordingListener(), createRecordingListener()];
    for (const jobId of ['a', 'a', 'b', 'b']) rests.start(jobId);
    rests.end('a', one);
    rests.end('b', other);
    rests.reportReady('a', 3);
    expect([one.reports, other.reports]).toEqual([['ready 3'], []]);
  });

  test('learns that the job was abandoned when its last execution ends', () => {
    const rests = new EqualJobs();
    const follower = createRecordingListener();
    for (let count = 0; count < 3; count++) rests.start('a');
    rests.end('a', follower);
    rests.end('a');
    expect(follower.reports).toEqual([]);
    rests.end('a');
    expect(follower.reports).toEqual(['abandoned']);
    rests.reportReady('a', 0);
    expect(follower.reports).toEqual(['abandoned']);
  });

  test('learns at once that no execution of this process continues the job', () => {
    const rests = new EqualJobs();
    const follower = createRecordingListener();
    rests.start('a');
    rests.end('a', follower);
    expect(follower.reports).toEqual(['abandoned']);
  });
});
