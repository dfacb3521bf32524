import { afterEach, describe, expect, jest, test } from '@jest/globals';
import { AnswerShaping } from '../../../gateway/response/answerShaping.ts';
import { enrichedPipeline, resultsOf } from '../../harness/enrichedPipeline.ts';

const query = '{ products { id advice { text } } }';

/** A client leaves when its first answer has been shaped. */
function leaveWhenShaped(): AbortSignal {
  const client = new AbortController();
  const { first } = AnswerShaping.prototype;
  jest.spyOn(AnswerShaping.prototype, 'first').mockImplementationOnce(function* (
    this: AnswerShaping,
    ...args
  ) {
    const shaped = yield* first.apply(this, args);
    client.abort();
    return shaped;
  });
  return client.signal;
}

afterEach(() => {
  jest.restoreAllMocks();
});

describe('a client that leaves while its first answer is made', () => {
  test('leaves nothing to be finished that would never end', async () => {
    const shop = enrichedPipeline();
    const gate = shop.hold();
    await shop.pipeline.respond(query, {}, undefined, undefined, leaveWhenShaped());
    gate.open();
    expect([shop.handedOver, shop.answered]).toEqual([[], []]);
  });

  test('nor does one that takes payloads', async () => {
    const shop = enrichedPipeline({ fetches: ['advice { text }', 'stock'] });
    const gate = shop.hold();
    const deferring = '{ products { id advice { text } ... @defer { stock } } }';
    await shop.pipeline.respond(deferring, {}, 'incrementalSpec=v0.2', undefined, leaveWhenShaped());
    gate.open();
    expect(shop.handedOver).toEqual([]);
  });
});

describe('what has become of a field', () => {
  test.each([
    ['has fetches of its own', ['advice { text }']],
    ['is fetched with the primary data', ['rating advice { text }']],
  ])('that %s is not told of an answer that has no object with it', async (_, fetches) => {
    const enrichment = {
      mode: 'always',
      budget: '1h',
      bounds: { max: '1h' },
      fields: { 'Product.advice': {} },
    } as const;
    const [some, none] = [
      enrichedPipeline({ enrichment, fetches }),
      enrichedPipeline({ enrichment, fetches, ids: [] }),
    ];
    const asked = '{ products { rating advice { text } } }';
    await some.pipeline.ask(asked);
    await none.pipeline.ask(asked);
    expect([some.ready, some.answered]).toEqual([['Product.advice: 0'], ['Product.advice: in time']]);
    expect([none.ready, none.answered]).toEqual([[], []]);
  });
});

describe('how long a field takes', () => {
  test('is learnt from what was fetched, and not from answers that have no object with the field', async () => {
    const [some, none] = [enrichedPipeline(), enrichedPipeline({ ids: [] })];
    const gate = some.hold();
    await some.pipeline.ask(query);
    gate.open();
    for (const { run } of some.handedOver) await resultsOf(run);
    expect(await none.pipeline.ask(query)).toEqual({ data: { products: [] } });
    expect([some.ready, none.ready]).toEqual([['Product.advice: 0'], []]);
  });

  test('is learnt from the fetch that goes on where an older value has answered', async () => {
    let end = (): void => {};
    const shop = enrichedPipeline({
      enrichment: { mode: 'always', budget: '1s' },
      notesOf: ({ shape, group, budget }) => {
        if (!shape.isEntityFetch) return {};
        end = budget?.standIn(group) ?? end;
        return { stale: new Map([[0, { ageMs: 1, reason: 'budget' }]]) };
      },
    });
    await shop.pipeline.ask(query);
    expect([shop.ready, shop.answered]).toEqual([[], ['Product.advice: stale']]);
    end();
    expect(shop.ready).toEqual(['Product.advice: 0']);
  });

  test('is what it is for a value that comes in the moment in which the first answer leaves', async () => {
    const shop = enrichedPipeline();
    await shop.pipeline.ask(query);
    for (const { run } of shop.handedOver) await resultsOf(run);
    expect(shop.ready).toEqual(['Product.advice: 0']);
  });
});
