import { describe, expect, test } from '@jest/globals';
import type { EnrichmentJob, FieldResult } from '../../../../gateway/enrichment/enrichmentJob.ts';
import {
  type ExecutionSnapshot,
  snapshotFormatVersion,
} from '../../../../gateway/enrichment/responses/executionSnapshot.ts';
import {
  collectResults,
  createEnrichedPipeline,
  type EnrichedPipeline,
} from '../../../harness/enrichedPipeline.ts';
import { waitForTurns } from '../../../harness/waitForTurns.ts';

const query = '{ products { id advice { text } stock } }';
const fetches = ['advice { text }', 'stock'];
const deadlineMs = 60_000;

/** The job of a first response, as another process gets it; the process that made it is gone. */
async function jobOf(shop: EnrichedPipeline, text = query): Promise<EnrichmentJob> {
  const gate = shop.holdFetches();
  await shop.pipeline.execute(text);
  const handed = shop.enqueued.at(-1);
  if (handed === undefined) throw new Error('Nothing was late.');
  handed.attempt.cancel();
  gate.open();
  return JSON.parse(JSON.stringify(handed.job)) as EnrichmentJob;
}

const summaryOf = ({ path, data, errors, isRetryable }: FieldResult): unknown => {
  const codes = errors?.map(({ extensions }) => extensions?.code);
  return [path.join('.'), JSON.parse(JSON.stringify(data)), codes, isRetryable];
};

const everything = [
  ['products.0.advice', { text: 'about 1' }, undefined, false],
  ['products.0.stock', 1, undefined, false],
  ['products.1.advice', { text: 'about 2' }, undefined, false],
  ['products.1.stock', 2, undefined, false],
];

describe('a job that is executed from its snapshot', () => {
  test('fetches the pending fields and nothing else', async () => {
    const shop = createEnrichedPipeline({ fetches });
    const job = await jobOf(shop);
    const before = shop.pipeline.calls.length;
    const results = await collectResults(shop.pipeline.snapshotExecutor.createAttempt(job, deadlineMs));
    expect(results.map(summaryOf).sort()).toEqual(everything);
    expect(shop.pipeline.calls.slice(before).map(({ subgraph }) => subgraph)).toEqual(['extras', 'extras']);
  });

  test('can be executed by another process', async () => {
    const job = await jobOf(createEnrichedPipeline({ fetches }));
    const other = createEnrichedPipeline({ fetches });
    const results = await collectResults(other.pipeline.snapshotExecutor.createAttempt(job, deadlineMs));
    expect(results.map(summaryOf).sort()).toEqual(everything);
    expect(other.pipeline.calls.every(({ subgraph }) => subgraph === 'extras')).toBe(true);
  });

  test('returns whole objects when the objects are pending', async () => {
    const shop = createEnrichedPipeline({ fetches: ['rating'] });
    const job = await jobOf(shop, '{ products { id rating } }');
    const results = await collectResults(shop.pipeline.snapshotExecutor.createAttempt(job, deadlineMs));
    expect(results.map(summaryOf)).toEqual([
      ['products.0', { id: '1', rating: 2 }, undefined, false],
      ['products.1', { id: '2', rating: 4 }, undefined, false],
    ]);
  });

  test('returns the requested fields only', async () => {
    const shop = createEnrichedPipeline({ fetches });
    const job = await jobOf(shop);
    const places = job.fields.filter(({ path }) => path.join('.') === 'products.1.stock');
    const results = await collectResults(
      shop.pipeline.snapshotExecutor.createAttempt({ ...job, fields: places }, deadlineMs),
    );
    expect(results.map(summaryOf)).toStrictEqual([['products.1.stock', 2, undefined, false]]);
  });

  test('fails when the operation is planned differently by now', async () => {
    const job = await jobOf(createEnrichedPipeline({ fetches }));
    const other = createEnrichedPipeline({ fetches: [...fetches].reverse() });
    const results = await collectResults(other.pipeline.snapshotExecutor.createAttempt(job, deadlineMs));
    expect(results.map(summaryOf).sort()).toEqual(
      everything.map(([path]) => [path, null, ['SUPERGRAPH_CHANGED'], false]),
    );
    expect(other.pipeline.calls).toEqual([]);
  });

  test('fails when a gateway with another format has stored it', async () => {
    const shop = createEnrichedPipeline({ fetches });
    const job = await jobOf(shop);
    const before = shop.pipeline.calls.length;
    const snapshot = { ...(job.snapshot as ExecutionSnapshot), formatVersion: snapshotFormatVersion + 1 };
    const results = await collectResults(
      shop.pipeline.snapshotExecutor.createAttempt({ ...job, snapshot }, deadlineMs),
    );
    expect(results.map(summaryOf).sort()).toEqual(
      everything.map(([path]) => [path, null, ['SUPERGRAPH_CHANGED'], false]),
    );
    expect(shop.pipeline.calls.slice(before)).toEqual([]);
  });

  test('fails when the operation is no longer valid', async () => {
    const shop = createEnrichedPipeline({ fetches });
    const job = await jobOf(shop);
    const operation = { ...job.operation, document: '{ products { id advice { text } stock @gone } }' };
    const results = await collectResults(
      shop.pipeline.snapshotExecutor.createAttempt({ ...job, operation }, deadlineMs),
    );
    expect(results.map(summaryOf).sort()).toEqual(
      everything.map(([path]) => [path, null, ['SUPERGRAPH_CHANGED'], false]),
    );
  });

  test('has the priority of its enrichment rules', async () => {
    const shop = createEnrichedPipeline({
      fetches,
      enrichment: {
        fields: { 'Product.advice': { priority: 'BACKGROUND' }, 'Product.stock': { priority: 'CRITICAL' } },
      },
    });
    const job = await jobOf(shop);
    const before = shop.priorities.length;
    await collectResults(shop.pipeline.snapshotExecutor.createAttempt(job, deadlineMs));
    expect(shop.priorities.slice(before).sort()).toEqual(['advice: background', 'stock: critical']);
  });

  test('ends when it is cancelled', async () => {
    const shop = createEnrichedPipeline({ fetches });
    const job = await jobOf(shop);
    shop.holdFetches();
    const run = shop.pipeline.snapshotExecutor.createAttempt(job, deadlineMs);
    const results = collectResults(run);
    await waitForTurns(5);
    run.cancel();
    expect(await results).toEqual([]);
  });

  test('sends no fetch when it is cancelled before it starts', async () => {
    const shop = createEnrichedPipeline({ fetches });
    const job = await jobOf(shop);
    const before = shop.pipeline.calls.length;
    const run = shop.pipeline.snapshotExecutor.createAttempt(job, deadlineMs);
    const results = collectResults(run);
    run.cancel();
    expect([await results, shop.pipeline.calls.length]).toEqual([[], before]);
  });
});

describe('the size of a job', () => {
  test('is that of its snapshot and its request as JSON, in bytes', async () => {
    const job = await jobOf(createEnrichedPipeline({ fetches, ids: ['é', '2'] }));
    const { tree, ...progress } = job.snapshot as ExecutionSnapshot;
    const bytesOf = (value: unknown) => Buffer.byteLength(JSON.stringify(value));
    expect(job.snapshotSize).toBe(bytesOf(JSON.parse(tree)) + bytesOf(progress));
    expect(tree).toContain('é');
    const headers = job.headers.filter(([name]) => name !== 'x-request-id');
    expect(job.size - job.snapshotSize).toBe(bytesOf([job.operation, job.caller, headers, job.fields]));
  });
});

describe('the id of a job', () => {
  test('is equal for equal responses, and different when other fields are pending', async () => {
    const shop = createEnrichedPipeline({ fetches });
    const [one, other] = [await jobOf(shop), await jobOf(shop)];
    const less = await jobOf(createEnrichedPipeline(), '{ products { id advice { text } } }');
    expect([one.id === other.id, one.id === less.id]).toEqual([true, false]);
  });

  test('is equal across processes', async () => {
    const [one, other] = await Promise.all([1, 2].map(() => jobOf(createEnrichedPipeline({ fetches }))));
    expect(one?.id).toBe(other?.id);
  });
});
