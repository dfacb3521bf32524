import { z } from 'zod';
import { choice, duration, fieldCoordinate, flag, integer, ratio, size } from '../scalars.ts';

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
      'How long the first response waits for the field, counted from the start of the request. With `0ms` it does not wait. Default: the budget of `@enrichment` on the field, then `enrichment.budget`.',
    )
    .optional(),
  priority: choice(['CRITICAL', 'NORMAL', 'BACKGROUND'])
    .describe(
      'Which requests a busy subgraph gets first. Default: the priority of `@enrichment` on the field, then `NORMAL`.',
    )
    .optional(),
});

const adaptation = z.strictObject({
  window: duration({ min: 1_000 })
    .describe('Latencies count for at most this long, and for at least half of it.')
    .prefault('60s'),
  minSamples: integer({ min: 1 })
    .describe('A field is `budgeted` until the window has this many of its latencies.')
    .prefault(20),
  inlineBelow: ratio()
    .describe(
      'A field becomes `inline` (fetched with the primary data, which saves requests) when 95 % of its latencies are within this part of its budget, and 99 % within the whole budget. 0: never.',
    )
    .prefault(adaptationDefaults.inlineBelow),
  inlineUntil: ratio()
    .describe(
      'A field stays `inline` while 95 % of its latencies are within this part of its budget, 97 % are within the whole budget, and no five in a row are overdue. A field does not return to a mode for one `window` after it has left it.',
    )
    .prefault(adaptationDefaults.inlineUntil),
  deferredBelow: ratio()
    .describe(
      'A field becomes `deferred` (first responses do not wait for it) when less than this share of its latencies is within its budget. 0: never.',
    )
    .prefault(adaptationDefaults.deferredBelow),
  deferredUntil: ratio()
    .describe('A field stays `deferred` until more than this share of its latencies is within its budget.')
    .prefault(adaptationDefaults.deferredUntil),
});

const jobs = z.strictObject({
  maxPending: integer({ min: 1 })
    .describe(
      'Maximum number of unfinished jobs in one process. Beyond it, jobs that wait for another attempt are evicted: the least important first, and of these the longest waiting. Never evicted are `CRITICAL` jobs and jobs that are more important than the new one. Without enough others, the new job is refused: its response has no token.',
    )
    .prefault(10_000),
  maxPendingSize: size()
    .describe(
      'Maximum size of the unfinished jobs in one process, as JSON text: snapshots of first responses, and their pending fields. Beyond it, jobs are evicted as beyond `jobs.maxPending`. Without Redis, dead letters have the same limit of their own.',
    )
    .prefault('64MB'),
  maxUpdatesSize: size()
    .describe(
      'Maximum size of the updates of finished jobs in one process, as JSON text. Beyond it, the updates of the oldest jobs are evicted before their tokens expire. With Redis, updates are in memory only until Redis has them; while they exceed this size, Redis gets no further jobs.',
    )
    .prefault('64MB'),
  concurrency: integer({ min: 1 })
    .describe('Maximum number of concurrent attempts at retried and reclaimed jobs in one process.')
    .prefault(50),
  attempts: integer({ min: 1 })
    .describe('Maximum number of attempts at a job, including the first. Then the job becomes a dead letter.')
    .prefault(5),
  backoff: z
    .strictObject({
      base: duration({ min: 1 })
        .describe('Upper limit of the random delay before the second attempt. It doubles with each attempt.')
        .prefault(backoffDefaults.base),
      max: duration({ min: 1 }).describe('Longest delay between two attempts.').prefault(backoffDefaults.max),
    })
    .prefault({}),
  budgetRatio: ratio()
    .describe(
      'Maximum ratio of retries to new jobs of one process in 10 s. Besides, 10 retries per second are allowed, for processes with few jobs. Jobs beyond both become dead letters. `0`: no retries at all.',
    )
    .prefault(0.2),
  reclaimAfter: duration({ min: 100 })
    .describe(
      'Another process reclaims a job when the process that runs it has sent no heartbeat for this long.',
    )
    .prefault('3s'),
  enqueueTimeout: duration({ min: 1 })
    .describe('How long a response waits until Redis has its job. Then it is sent anyway.')
    .prefault('50ms'),
  maxSnapshotSize: size()
    .describe(
      'Maximum size of the snapshot of a first response, as JSON text, that is stored for further attempts and for other processes. A job with a larger snapshot has only its first attempt.',
    )
    .prefault('256KB'),
  maxDeadLetters: integer()
    .describe('Maximum number of dead letters. Beyond it, the oldest are evicted.')
    .prefault(1_000),
  deadLetterRetention: duration({ min: 1 }).describe('How long a dead letter is stored.').prefault('24h'),
});

export const enrichmentSection = z
  .strictObject({
    mode: choice(['adaptive', 'always', 'never'])
      .describe(
        '`adaptive`: fields that are nearly always within their budget are fetched with the primary data, and first responses do not wait for fields that hardly ever are. `always`: first responses wait for every enrichment until its budget ends. `never`: they wait for every enrichment as for any other field.',
      )
      .prefault('adaptive'),
    shadow: flag()
      .describe('Wait for every enrichment, and only count those that would have been pending.')
      .prefault(false),
    budget: duration()
      .describe(
        'How long the first response waits for an enrichment without a budget of its own, counted from the start of the request. It always waits for the primary data.',
      )
      .prefault(budgetDefaults.budget),
    bounds: z
      .strictObject({
        min: duration()
          .describe('Smallest budget that a client can request with `tributary-budget`.')
          .prefault(budgetDefaults.min),
        max: duration()
          .describe('Largest budget that a client can request with `tributary-budget`.')
          .prefault(budgetDefaults.max),
      })
      .prefault({}),
    fields: z
      .record(fieldCoordinate('Product.recommended'), field)
      .meta({ title: 'rule by field' })
      .describe(
        'Enrichments by coordinate, such as `Product.recommended`; `{}` for the defaults. These options override `@enrichment` on the same field.',
      )
      .prefault({}),
    adaptation: adaptation.prefault({}),
    tokens: z
      .strictObject({
        expireAfter: duration({ min: 1_000 })
          .describe('How long a token is valid, counted from the first response.')
          .prefault('60s'),
      })
      .prefault({}),
    jobs: jobs.prefault({}),
  })
  .describe(
    'Fields that may arrive after the first response, how long it waits for them, and the jobs that fetch pending ones.',
  );
