import { z } from 'zod';
import { choice, duration, flag, integer, ratio, size } from '../scalars.ts';

export const budgetDefaults = { budget: '100ms', min: '0ms', max: '10s' } as const;

export const adaptationDefaults = {
  inlineBelow: 0.5,
  inlineUntil: 0.8,
  deferredBelow: 0.05,
  deferredUntil: 0.2,
} as const;

export const backoffDefaults = { base: '500ms', max: '10s' } as const;

const field = z.strictObject({
  budget: duration()
    .describe(
      "How long the first answer waits for the field, from the request's start. `0ms`: not at all. Left out: what the `@enrichment` at this field says, then `budget`.",
    )
    .optional(),
  priority: choice(['CRITICAL', 'NORMAL', 'BACKGROUND'])
    .describe(
      'What goes first where a subgraph is short of capacity. Left out: what the `@enrichment` at this field says, then `NORMAL`.',
    )
    .optional(),
});

const adaptation = z.strictObject({
  window: duration({ min: 1_000 })
    .describe('How far back latencies count, at most; at least half of it.')
    .prefault('60s'),
  minSamples: integer({ min: 1 })
    .describe('Until so many latencies of a field are known, it has fetches of its own and its budget.')
    .prefault(20),
  inlineBelow: ratio()
    .describe(
      'A field is fetched with the primary data, which saves requests, once 95 % of its latencies are within this part of its budget, and 99 % within all of it. 0: never.',
    )
    .prefault(adaptationDefaults.inlineBelow),
  inlineUntil: ratio()
    .describe(
      'It stays so while 95 % are within this part, 97 % within the budget, and no five in a row are overdue. A way that is left is not taken again for a `window`.',
    )
    .prefault(adaptationDefaults.inlineUntil),
  deferredBelow: ratio()
    .describe(
      'A field is not waited for once less than this share of its latencies is within its budget. 0: every field is waited for.',
    )
    .prefault(adaptationDefaults.deferredBelow),
  deferredUntil: ratio()
    .describe('It stays so until more than this share is.')
    .prefault(adaptationDefaults.deferredUntil),
});

const jobs = z.strictObject({
  maxPending: integer({ min: 1 })
    .describe(
      'Most answers of one process whose rest is under way or waits. For more, the oldest of the lowest priority are dropped.',
    )
    .prefault(10_000),
  maxPendingSize: size()
    .describe(
      'Most memory of one process for them, as JSON text: what first answers were made of, and what is missing from them. For more, the oldest of the lowest priority are dropped. Without Redis, as much again is for those that are put aside.',
    )
    .prefault('64MB'),
  maxUpdatesSize: size()
    .describe(
      'Most memory of one process for the updates of jobs that are done, as JSON text, while their tokens may be used. For more, those of the oldest jobs are forgotten. With Redis they are in memory only until Redis has them; while it has not taken so much, it gets no further jobs.',
    )
    .prefault('64MB'),
  concurrency: integer({ min: 1 })
    .describe('Most jobs that one process works on at a time which it retries or has taken over.')
    .prefault(50),
  attempts: integer({ min: 1 })
    .describe('Most attempts at a job, the first included. Then it is put aside.')
    .prefault(5),
  backoff: z
    .strictObject({
      base: duration({ min: 1 })
        .describe('Time before the second attempt; it doubles with each, with a random part.')
        .prefault(backoffDefaults.base),
      max: duration({ min: 1 }).describe('Longest time between two attempts.').prefault(backoffDefaults.max),
    })
    .prefault({}),
  budgetRatio: ratio()
    .describe('Most retries per job that is begun, on average. What would be more is put aside.')
    .prefault(0.2),
  reclaimAfter: duration({ min: 100 })
    .describe('How long nothing may be heard of the process that works on a job; then another takes it over.')
    .prefault('3s'),
  enqueueTimeout: duration({ min: 1 })
    .describe('Longest that an answer waits until Redis has its job. Then it leaves all the same.')
    .prefault('50ms'),
  maxSnapshotSize: size()
    .describe(
      'Largest part of a first answer that is kept for further attempts at its rest, and in Redis for other processes, as JSON text. Where it would be larger, there is only the attempt that is under way.',
    )
    .prefault('256KB'),
  maxDeadLetters: integer().describe('Most jobs that are put aside; the oldest leave first.').prefault(1_000),
  deadLetterRetention: duration({ min: 1 }).describe('How long a job is put aside.').prefault('24h'),
});

export const enrichmentSection = z
  .strictObject({
    mode: choice(['adaptive', 'always', 'never'])
      .describe(
        '`adaptive`: fields that nearly always make their budget are fetched with the primary data, and those that hardly ever do are not waited for. `always`: every one has its budget. `never`: every one is waited for like any other field.',
      )
      .prefault('adaptive'),
    shadow: flag().describe('Wait for everything, and only count what would have been late.').prefault(false),
    budget: duration()
      .describe(
        "How long the first answer waits for an enrichment that says nothing else, from the request's start. The primary data is always waited for.",
      )
      .prefault(budgetDefaults.budget),
    bounds: z
      .strictObject({
        min: duration()
          .describe('Least that a client may ask for with `tributary-budget`.')
          .prefault(budgetDefaults.min),
        max: duration()
          .describe('Most that a client may ask for with `tributary-budget`.')
          .prefault(budgetDefaults.max),
      })
      .prefault({}),
    fields: z
      .record(
        z
          .string()
          .regex(/^[_A-Za-z][_0-9A-Za-z]*\.[_A-Za-z][_0-9A-Za-z]*$/, 'a field such as `Product.recommended`'),
        field,
      )
      .meta({ title: 'rule by field' })
      .describe(
        "Fields that may come late, by their coordinates such as `Product.recommended`; `{}` for the defaults. What is said here wins over the subgraphs' `@enrichment` at the same field.",
      )
      .prefault({}),
    adaptation: adaptation.prefault({}),
    tokens: z
      .strictObject({
        expireAfter: duration({ min: 1_000 })
          .describe('How long what has come late can be picked up, from the first answer on.')
          .prefault('60s'),
      })
      .prefault({}),
    jobs: jobs.prefault({}),
  })
  .describe('Fields that may come late, how long answers wait for them, and what becomes of the rest.');
