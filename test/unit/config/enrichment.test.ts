import { describe, expect, test } from '@jest/globals';
import { findConfigProblems, parseConfig } from '../../../gateway/config/parseConfig.ts';

const supergraph = { file: 'supergraph.graphql' };

describe('the section enrichment', () => {
  test('has a default for every option', () => {
    expect(parseConfig({ supergraph }).enrichment).toEqual({
      mode: 'adaptive',
      shadow: false,
      budget: 100,
      bounds: { min: 0, max: 10_000 },
      fields: {},
      adaptation: {
        window: 60_000,
        minSamples: 20,
        inlineBelow: 0.5,
        inlineUntil: 0.8,
        deferredBelow: 0.05,
        deferredUntil: 0.2,
      },
      tokens: { expireAfter: 60_000 },
      jobs: {
        maxPending: 10_000,
        maxPendingSize: 64 * 1024 * 1024,
        maxUpdatesSize: 64 * 1024 * 1024,
        concurrency: 50,
        attempts: 5,
        backoff: { base: 500, max: 10_000 },
        budgetRatio: 0.2,
        reclaimAfter: 3_000,
        enqueueTimeout: 50,
        maxSnapshotSize: 256 * 1024,
        maxDeadLetters: 1_000,
        deadLetterRetention: 24 * 3_600_000,
      },
    });
  });

  test('accepts fields by coordinate, with any subset of options', () => {
    const fields = {
      'Product.recommended': { budget: '50ms', priority: 'BACKGROUND' },
      'Query.weather': { budget: 0 },
      'Product.badges': {},
    } as const;
    expect(parseConfig({ supergraph, enrichment: { fields } }).enrichment.fields).toEqual({
      'Product.recommended': { budget: 50, priority: 'BACKGROUND' },
      'Query.weather': { budget: 0 },
      'Product.badges': {},
    });
  });

  test('accepts ratios as text', () => {
    const adaptation = { inlineBelow: '0.25', inlineUntil: 1, deferredBelow: '0' };
    expect(parseConfig({ supergraph, enrichment: { adaptation } }).enrichment.adaptation).toMatchObject({
      inlineBelow: 0.25,
      inlineUntil: 1,
      deferredBelow: 0,
      deferredUntil: 0.2,
    });
  });

  test('reports the problem of each option', () => {
    const enrichment = {
      mode: 'sometimes',
      budget: 'soon',
      fields: {
        Product: {},
        'Product.recommended': { budget: '1 s', priority: 'normal', maxAge: '5s' },
      },
      adaptation: { inlineBelow: 1.5, inlineUntil: '80%', deferredBelow: -0.1, minSamples: 0 },
      tokens: { expireAfter: '10ms' },
      jobs: { attempts: 0, budgetRatio: 2 },
    };
    const aRatio = 'a number from 0 to 1, such as 0.2';
    expect(findConfigProblems({ supergraph, enrichment })).toEqual([
      { path: 'enrichment.mode', message: 'is "sometimes"', expected: 'one of adaptive, always, never' },
      {
        path: 'enrichment.budget',
        message: 'is "soon"',
        expected: 'a duration such as 250ms, 2s, 5m or 1h, at most 596h',
      },
      {
        path: 'enrichment.fields.Product',
        message: 'is not a valid key',
        expected: 'a field such as `Product.recommended`',
      },
      {
        path: 'enrichment.fields["Product.recommended"].budget',
        message: 'is "1 s"',
        expected: 'a duration such as 250ms, 2s, 5m or 1h, at most 596h',
      },
      {
        path: 'enrichment.fields["Product.recommended"].priority',
        message: 'is "normal"',
        expected: 'one of CRITICAL, NORMAL, BACKGROUND',
      },
      {
        path: 'enrichment.fields["Product.recommended"].maxAge',
        message: 'is not known',
        expected: 'one of budget, priority',
      },
      {
        path: 'enrichment.adaptation.minSamples',
        message: 'is 0',
        expected: 'a whole number of at least 1',
      },
      { path: 'enrichment.adaptation.inlineBelow', message: 'is 1.5', expected: aRatio },
      { path: 'enrichment.adaptation.inlineUntil', message: 'is "80%"', expected: aRatio },
      { path: 'enrichment.adaptation.deferredBelow', message: 'is -0.1', expected: aRatio },
      {
        path: 'enrichment.tokens.expireAfter',
        message: 'is "10ms"',
        expected: 'a duration such as 250ms, 2s, 5m or 1h, at least 1s and at most 596h',
      },
      { path: 'enrichment.jobs.attempts', message: 'is 0', expected: 'a whole number of at least 1' },
      { path: 'enrichment.jobs.budgetRatio', message: 'is 2', expected: aRatio },
    ]);
  });

  test.each([
    [
      { bounds: { min: '11s' } },
      'enrichment.bounds.min',
      'conflicts: min is 11s, max is 10s',
      'a value of min that is no larger than max',
    ],
    [
      { bounds: { min: '2s', max: '1s' } },
      'enrichment.bounds.max',
      'conflicts: min is 2s, max is 1s',
      'a value of min that is no larger than max',
    ],
    [{ budget: '11s' }, 'enrichment.budget', 'is 11s, outside of enrichment.bounds', 'from 0ms to 10s'],
    [
      { bounds: { min: 200 } },
      'enrichment.budget',
      'is 100ms, outside of enrichment.bounds',
      'from 200ms to 10s',
    ],
    [
      { fields: { 'Product.reviews': { budget: '1h' }, 'Product.recommended': { budget: 50 } } },
      'enrichment.fields["Product.reviews"].budget',
      'is 1h, outside of enrichment.bounds',
      'from 0ms to 10s',
    ],
    [
      { mode: 'never', shadow: 'true' },
      'enrichment.shadow',
      'is true, but enrichment.mode is never, with which nothing is counted',
      '`mode: adaptive` or `always`, with which responses wait as well',
    ],
    [
      { adaptation: { inlineBelow: 0.9 } },
      'enrichment.adaptation.inlineBelow',
      'conflicts: inlineBelow is 0.9, inlineUntil is 0.8',
      'a value of inlineBelow that is no larger than inlineUntil',
    ],
    [
      { adaptation: { deferredUntil: '0.01' } },
      'enrichment.adaptation.deferredUntil',
      'conflicts: deferredBelow is 0.05, deferredUntil is 0.01',
      'a value of deferredBelow that is no larger than deferredUntil',
    ],
    [
      { jobs: { backoff: { base: '11s' } } },
      'enrichment.jobs.backoff.base',
      'conflicts: base is 11s, max is 10s',
      'a value of base that is no larger than max',
    ],
  ])('reports conflicting options: %j', (enrichment, path, message, expected) => {
    expect(findConfigProblems({ supergraph, enrichment })).toEqual([{ path, message, expected }]);
  });

  test.each([
    { mode: 'never', shadow: false },
    { mode: 'always', shadow: true },
    { budget: 0 },
    { budget: '10s' },
    { fields: { 'Product.reviews': { budget: '10s' }, 'Product.recommended': { budget: 0 } } },
    { adaptation: { inlineBelow: 0.8, deferredBelow: 0.2 } },
    { bounds: { min: '100ms', max: '100ms' } },
    { jobs: { backoff: { base: '1s', max: '1s' } } },
  ])('accepts values at their limits: %j', (enrichment) => {
    expect(findConfigProblems({ supergraph, enrichment })).toEqual([]);
  });
});
