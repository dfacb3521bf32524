import { expect, test } from '@jest/globals';
import { UpdateLog } from '../../../../gateway/enrichment/jobs/updateLog.ts';
import { failedResult, successfulResult } from '../../../harness/enrichmentJobsFixture.ts';

test('the new update of a reopened field replaces the old one, and follows the updates of other fields', () => {
  const log = new UpdateLog(['reviews', 'stock']);
  log.append(failedResult('reviews'));
  log.append(successfulResult('stock'));
  log.reopen(['reviews']);
  log.append(successfulResult('reviews'));
  expect(log.entries.map(({ key, cursor }) => `${cursor} ${key}`)).toEqual(['2-0 stock', '3-0 reviews']);
  expect(log.size).toBe(log.entries.reduce((sum, { size }) => sum + size, 0));
});

test('a page up to an update has that update, and counts the later ones as remaining', () => {
  const written = new UpdateLog(['reviews', 'stock', 'price']);
  for (const field of ['reviews', 'stock']) written.append(successfulResult(field));
  // As another process reads it from Redis.
  const log = new UpdateLog(['price'], written.entries);
  const page = log.pageAfter('0-0', 1);
  expect([page.updates.map(({ cursor }) => cursor), page.remaining]).toEqual([['1-0'], 2]);
  expect(log.pageAfter('1-0')).toEqual({ updates: written.entries.slice(1), remaining: 1 });
  log.append(successfulResult('price'));
  expect(log.entries.at(-1)?.cursor).toBe('3-0');
});
