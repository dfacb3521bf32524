import { afterEach, describe, expect, test } from '@jest/globals';
import { type DocumentNode, parse } from 'graphql';
import type { OverrideDecision } from '../../../gateway/operation/overrideDecision.ts';
import { Preparer } from '../../../gateway/operation/preparer.ts';
import type { PlanRequest } from '../../../gateway/planning/planner.ts';
import type { Supergraph } from '../../../gateway/supergraph/supergraph.ts';
import { composeSubgraphs, federationLink } from '../../harness/composeSubgraphs.ts';
import { loadSupergraphInProcess } from '../../harness/loadSupergraphInProcess.ts';

const opened: Supergraph[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map(({ planner }) => planner.close()));
});

/** A supergraph with two progressive `@override`s, and the requests of its planner. */
async function load(priceLabel: string): Promise<{ supergraph: Supergraph; planRequests: PlanRequest[] }> {
  const old =
    'type Query { item: Item } type Item @key(fields: "id") { id: ID! name: Int price: Int stock: Int }';
  const next = `type Item @key(fields: "id") { id: ID! price: Int @override(from: "old", label: "${priceLabel}") stock: Int @override(from: "old", label: "beta") }`;
  const sdl = await composeSubgraphs([
    { name: 'old', url: 'http://old.test', sdl: `${federationLink}${old}` },
    { name: 'new', url: 'http://new.test', sdl: `${federationLink}${next}` },
  ]);
  const supergraph = await loadSupergraphInProcess(sdl);
  opened.push(supergraph);
  const planRequests: PlanRequest[] = [];
  const plan = (request: PlanRequest) => {
    planRequests.push(request);
    return supergraph.planner.plan(request);
  };
  return { supergraph: { ...supergraph, planner: { ...supergraph.planner, plan } }, planRequests };
}

const createPreparer = (cacheSize = 100) =>
  new Preparer({ cacheSize, maxSelections: 1_000, maxVariableValues: 1000 });

async function prepare(
  preparer: Preparer,
  supergraph: Supergraph,
  text: string,
  isOverridden: OverrideDecision,
) {
  const request = {
    document: parse(text),
    operationName: undefined,
    variables: {},
    acceptsIncremental: false,
  };
  const preparation = await preparer.prepare({ ...request, isOverridden }, supergraph);
  if (preparation.kind === 'refused') throw new Error(preparation.errors[0]?.message);
  return preparation.operation;
}

const on = () => true;
const off = () => false;

test('a condition that is null is refused, also for a known operation', async () => {
  const { supergraph } = await load('beta');
  const preparer = createPreparer();
  const document = parse(`
    query A($on: Boolean = true) { item { name ...Price } }
    query B($on: Boolean) { item { name } }
    fragment Price on Item { price @include(if: $on) }
  `);
  const prepareWith = (operationName: string, variables: Record<string, unknown>) =>
    preparer.prepare(
      { document, operationName, variables, acceptsIncremental: false, isOverridden: off },
      supergraph,
    );
  expect(await prepareWith('A', {})).toMatchObject({ kind: 'prepared' });
  expect(await prepareWith('A', { on: null })).toMatchObject({
    kind: 'refused',
    errors: [
      {
        message:
          'Variable "$on" is null, and it is the condition of @skip, @include or @defer, which needs true or false. Send one of them, or leave the variable out.',
        locations: [{ line: 2, column: 13 }],
      },
    ],
  });
  expect(await prepareWith('A', { on: false })).toMatchObject({ kind: 'prepared' });
  expect(await prepareWith('B', { on: null })).toMatchObject({ kind: 'prepared' });
});

test('a condition of @defer that is left out is another one than false, also for a known operation', async () => {
  const { supergraph } = await load('beta');
  const preparer = createPreparer();
  const document = parse('query ($on: Boolean) { item { name ... @defer(if: $on) { price } } }');
  const countDeferred = async (variables: Record<string, unknown>): Promise<number> => {
    const request = { document, operationName: undefined, variables, acceptsIncremental: true };
    const preparation = await preparer.prepare({ ...request, isOverridden: off }, supergraph);
    return preparation.kind === 'refused' ? Number.NaN : preparation.operation.deferred.length;
  };
  const counts: number[] = [];
  for (const variables of [{ on: false }, {}, { on: true }, {}, { on: false }])
    counts.push(await countDeferred(variables));
  expect(counts).toEqual([0, 1, 1, 1, 0]);
});

test('an operation is planned once for each combination of the override labels that it depends on', async () => {
  const { supergraph, planRequests } = await load('percent(5)');
  const preparer = createPreparer();
  for (const isOverridden of [on, off, on, off]) {
    for (const text of ['{ item { name } }', '{ item { price } }', '{ item { price stock } }']) {
      await prepare(preparer, supergraph, text, isOverridden);
    }
  }
  expect(planRequests.map(({ document, overrides }) => [document, overrides])).toEqual([
    ['query { item { name } }', []],
    ['query { item { price } }', ['percent(5)']],
    ['query { item { price stock } }', ['beta', 'percent(5)']],
    ['query { item { price } }', []],
    ['query { item { price stock } }', []],
  ]);
});

test('warming plans an operation with and without an override label whose percentage changed', async () => {
  const before = await load('percent(5)');
  const preparer = createPreparer();
  await prepare(preparer, before.supergraph, '{ item { price stock } }', on);
  await prepare(preparer, before.supergraph, '{ item { name } }', on);

  const after = await load('percent(25)');
  await preparer.warm(after.supergraph, before.supergraph, 10, new AbortController().signal);
  const warmed = after.planRequests.splice(0).map(({ document, overrides }) => [document, overrides]);
  expect(warmed).toHaveLength(3);
  expect(warmed).toEqual(
    expect.arrayContaining([
      ['query { item { name } }', []],
      ['query { item { price stock } }', ['beta']],
      ['query { item { price stock } }', ['beta', 'percent(25)']],
    ]),
  );
  await prepare(preparer, after.supergraph, '{ item { price stock } }', on);
  await prepare(preparer, after.supergraph, '{ item { price stock } }', (label) => label === 'beta');
  expect(after.planRequests).toEqual([]);
});

describe('prepared operations', () => {
  async function setUp(cacheSize: number) {
    const { supergraph } = await load('beta');
    const preparer = createPreparer(cacheSize);
    const documents = ['{ item { name } }', '{ item { price } }', '{ item { name price } }'].map((text) =>
      parse(text),
    );
    const prepareAt = async (index: number) => {
      const request = { document: documents[index] as DocumentNode, operationName: undefined, variables: {} };
      const preparation = await preparer.prepare(
        { ...request, acceptsIncremental: false, isOverridden: off },
        supergraph,
      );
      if (preparation.kind === 'refused') throw new Error(preparation.errors[0]?.message);
      return preparation.operation;
    };
    return { supergraph, preparer, prepareAt };
  }

  test('are evicted when there are too many, also while their documents are in use, the least recently used first', async () => {
    const { prepareAt } = await setUp(2);
    const [first, second] = [await prepareAt(0), await prepareAt(1)];
    expect(await prepareAt(0)).toBe(first);
    await prepareAt(2);
    expect(await prepareAt(0)).toBe(first);
    expect(await prepareAt(1)).not.toBe(second);
  });

  test('are evicted with their supergraph, and not with an equal one that was loaded earlier', async () => {
    const preparer = createPreparer();
    const [first, second] = [await load('beta'), await load('beta')];
    const text = '{ item { name } }';
    const ofFirst = await prepare(preparer, first.supergraph, text, off);
    const ofSecond = await prepare(preparer, second.supergraph, text, off);
    expect([ofFirst.supergraph, ofSecond.supergraph]).toEqual([first.supergraph, second.supergraph]);
    preparer.evict(first.supergraph);
    expect(preparer.planCacheCounts.size).toBe(1);
    await prepare(preparer, second.supergraph, text, off);
    expect([first.planRequests.length, second.planRequests.length]).toEqual([1, 1]);
  });

  test('are evicted with their supergraph, and none is stored afterwards', async () => {
    const { supergraph, preparer, prepareAt } = await setUp(10);
    const first = await prepareAt(0);
    const preparing = prepareAt(1);
    preparer.evict(supergraph);
    const second = await preparing;
    expect(await prepareAt(0)).not.toBe(first);
    expect(await prepareAt(1)).not.toBe(second);
  });
});
