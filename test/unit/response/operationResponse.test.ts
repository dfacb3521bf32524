import { describe, expect, test } from '@jest/globals';
import { createEnrichedPipeline } from '../../harness/enrichedPipeline.ts';
import { waitForTurns } from '../../harness/waitForTurns.ts';

const deferring = '{ products { id ... @defer { stock } } }';

describe.each([
  ['without deferred fragments and enrichments', 'never', '{ products { id stock } }', undefined],
  ['with deferred fragments', 'never', deferring, 'incrementalSpec=v0.2'],
  ['with enrichments that are complete', 'always', '{ products { id stock } }', undefined],
] as const)('a response %s', (_, mode, query, format) => {
  const create = () =>
    createEnrichedPipeline({
      enrichment: { mode, budget: '1h', bounds: { max: '1h' }, fields: { 'Product.stock': {} } },
      fetches: ['stock'],
    });

  test('has all data', async () => {
    const { pipeline } = create();
    const { merged } =
      format === undefined
        ? { merged: await pipeline.execute(query) }
        : await pipeline.executeIncrementally(query, {}, format);
    expect(merged).toMatchObject({
      data: {
        products: [
          { id: '1', stock: 1 },
          { id: '2', stock: 2 },
        ],
      },
    });
  });

  // The fetch that is held is not part of the first payload of a deferred fragment.
  if (format !== undefined) return;
  test('rejects with REQUEST_ABORTED when the client disconnects while a fetch is in flight', async () => {
    const { pipeline, holdFetches } = create();
    const gate = holdFetches();
    const client = new AbortController();
    const response = pipeline.respond(query, {}, format, undefined, client.signal);
    const rejected = expect(response).rejects.toMatchObject({ code: 'REQUEST_ABORTED' });
    await waitForTurns();
    client.abort();
    await rejected;
    gate.open();
  });
});

test('a client that disconnects between two payloads gets a last payload', async () => {
  const shop = createEnrichedPipeline({ enrichment: { mode: 'never' }, fetches: ['stock'] });
  const gate = shop.holdFetches();
  const client = new AbortController();
  const outcome = await shop.pipeline.respond(
    deferring,
    {},
    'incrementalSpec=v0.2',
    undefined,
    client.signal,
  );
  if (outcome.kind !== 'incremental') throw new Error('The response is not incremental.');
  const payloads = outcome.payloads[Symbol.asyncIterator]();
  await payloads.next();
  const last = payloads.next();
  client.abort();
  expect(await last).toEqual({ done: false, value: ['{"hasNext":false}'] });
  gate.open();
});

describe('a response that cannot be sent without a pending field', () => {
  // A list inside a list has no object that the field could be delivered for.
  const query = '{ matrix { id rating } }';

  test('waits for the field beyond its budget, has no token, and lists its stale values', async () => {
    const staleness = { ageMs: 20, reason: 'revalidating' } as const;
    const shop = createEnrichedPipeline({
      root: 'matrix',
      fetches: ['rating'],
      annotationsOf: ({ shape }) => (shape.isEntityFetch ? {} : { stale: new Map([['matrix', staleness]]) }),
    });
    const gate = shop.holdFetches();
    let isSent = false;
    const response = shop.pipeline.execute(query).finally(() => {
      isSent = true;
    });
    await gate.waitForArrivals();
    await waitForTurns(5);
    expect(isSent).toBe(false);
    gate.open();
    const products = ['1', '2'].map((id) => ({ id, rating: Number(id) * 2 }));
    expect(await response).toEqual({
      data: { matrix: [products] },
      extensions: { tributary: { stale: [{ path: ['matrix'], ...staleness }] } },
    });
    expect(shop.enqueued).toEqual([]);
  });
});
