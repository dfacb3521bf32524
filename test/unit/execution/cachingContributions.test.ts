import { performance } from 'node:perf_hooks';
import { expect, jest, test } from '@jest/globals';
import { internalServerError } from '../../../gateway/errors.ts';
import type { CachedContribution } from '../../../gateway/execution/cachingContribution.ts';
import { CachingContributions } from '../../../gateway/execution/cachingContributions.ts';
import { type FetchResult, toFailedResult, toFetchResult } from '../../../gateway/execution/fetchCall.ts';
import type { FetchStep } from '../../../gateway/execution/program.ts';
import type { ResponseHeaderCollector } from '../../../gateway/execution/responseHeaderCollector.ts';
import { createRequestContext, entityFetch, shapeOf } from '../../harness/fetchNodes.ts';

const cached: CachedContribution = {
  kind: 'cached',
  scope: 'PUBLIC',
  ageMs: 0,
  freshForMs: 1_000,
  headers: ['accept-language'],
};
const stepOf = (group: number): FetchStep => ({ group, shape: shapeOf(entityFetch('stock')) }) as FetchStep;
const answer = toFetchResult(
  {
    data: undefined,
    errors: undefined,
    cacheControl: 'max-age=1',
    age: undefined,
    extensions: undefined,
    isEscapeFree: true,
  },
  [],
  [],
);
const withCaching = (caching: CachedContribution | undefined): FetchResult =>
  ({ ...answer, caching }) as FetchResult;

test('a fetch contributes what the cache says, and limits the caching of its delivery group only', () => {
  const contributions = new CachingContributions(createRequestContext());
  contributions.add(stepOf(0), withCaching(cached));
  contributions.add(stepOf(2), answer);
  contributions.add(stepOf(2), toFailedResult(internalServerError()));
  const uncached = { kind: 'uncached' };
  expect(contributions.byGroup).toEqual([[cached], undefined, [uncached, uncached]]);
});

test('a fetch that the cache says nothing about contributes what the headers of the subgraph say', () => {
  const ofSubgraph = { ...cached, freshForMs: 5 };
  const responseHeaderCollector = {
    cachingOf: jest.fn(() => ofSubgraph),
  } as Partial<ResponseHeaderCollector>;
  const contributions = new CachingContributions(
    createRequestContext({ responseHeaderCollector: responseHeaderCollector as ResponseHeaderCollector }),
  );
  contributions.add(stepOf(0), answer);
  contributions.add(stepOf(0), withCaching(cached));
  expect(contributions.byGroup).toEqual([[ofSubgraph, cached]]);
  expect(responseHeaderCollector.cachingOf).toHaveBeenCalledWith('stock', {
    cacheControl: 'max-age=1',
    age: undefined,
    extensions: undefined,
    hasCookies: undefined,
  });
});

test('no client may share a response whose subgraphs got headers that an extension has computed', () => {
  const contributions = new CachingContributions(createRequestContext({ hasComputedHeaders: true }));
  contributions.add(stepOf(0), withCaching(cached));
  contributions.add(stepOf(0), answer);
  expect(contributions.byGroup).toEqual([
    [{ ...cached, headers: ['accept-language', '*'] }, { kind: 'uncached' }],
  ]);
});

test('the age of cached values counts from the first one', () => {
  const now = jest.spyOn(performance, 'now').mockReturnValue(1_000);
  const contributions = new CachingContributions(createRequestContext());
  contributions.add(stepOf(0), answer);
  now.mockReturnValue(1_500);
  expect(contributions.ageMs).toBe(0);
  contributions.add(stepOf(0), withCaching(cached));
  now.mockReturnValue(2_000);
  contributions.add(stepOf(0), withCaching(cached));
  now.mockReturnValue(2_700);
  expect(contributions.ageMs).toBe(1_200);
  now.mockRestore();
});
