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
