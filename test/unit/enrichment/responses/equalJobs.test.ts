import { describe, expect, test } from '@jest/globals';
import { EqualJobs, type JobLatencyListener } from '../../../../gateway/enrichment/responses/equalJobs.ts';

function noting(): JobLatencyListener & { readonly told: readonly string[] } {
  const told: string[] = [];
  return {
    told,
    onReady: (enrichment) => told.push(`ready ${enrichment}`),
    onAbandoned: () => told.push('given up'),
  };
}

describe('an answer whose rest an equal one finishes', () => {
  test('is told when it is ready, and not what becomes of others', () => {
    const rests = new EqualJobs();
    const [one, other] = [noting(), noting()];
    for (const jobId of ['a', 'a', 'b', 'b']) rests.start(jobId);
    rests.end('a', one);
    rests.end('b', other);
    rests.reportReady('a', 3);
    expect([one.told, other.told]).toEqual([['ready 3'], []]);
  });

  test('is told that it was given up when the last one ends that works on it', () => {
    const rests = new EqualJobs();
    const follower = noting();
    for (let count = 0; count < 3; count++) rests.start('a');
    rests.end('a', follower);
    rests.end('a');
    expect(follower.told).toEqual([]);
    rests.end('a');
    expect(follower.told).toEqual(['given up']);
    rests.reportReady('a', 0);
    expect(follower.told).toEqual(['given up']);
  });

  test('is told so at once where nobody here works on it', () => {
    const rests = new EqualJobs();
    const follower = noting();
    rests.start('a');
    rests.end('a', follower);
    expect(follower.told).toEqual(['given up']);
  });
});
