import { expect, test } from '@jest/globals';
import { type JobState, newestOfEachState } from '../../../../gateway/enrichment/jobs/jobAdmin.ts';

test('a list of jobs has the newest ones in each state, up to its limit', () => {
  const view = (id: string, state: JobState, ageMs: number) => ({
    id,
    state,
    coordinates: [],
    attempts: 0,
    error: undefined,
    ageMs,
  });
  const views = [
    view('old', 'waiting', 50),
    view('failed', 'failed', 40),
    view('new', 'waiting', 10),
    view('middle', 'waiting', 20),
  ];
  const listed = newestOfEachState(views, { limit: 2 });
  expect(listed.map(({ id }) => id)).toEqual(['new', 'middle', 'failed']);
});
