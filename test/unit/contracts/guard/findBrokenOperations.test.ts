import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { parse } from 'graphql';
import type { ConsumerOperation, Waiver } from '../../../../contracts/contractStore.ts';
import { defaultGatewaySettings } from '../../../../contracts/gatewaySettings.ts';
import { findBrokenOperations } from '../../../../gateway/contracts/guard/findBrokenOperations.ts';
import type { OperationLimits } from '../../../../gateway/operation/operationLimits.ts';
import type { Supergraph } from '../../../../gateway/supergraph/supergraph.ts';
import { loadSupergraphInProcess } from '../../../harness/loadSupergraphInProcess.ts';
import { composeOnce } from '../../../harness/shared/compositions.ts';

const v1 = 'type Query { shelf(id: ID): Shelf } type Shelf { id: ID! label: String width: Int }';

const loaded: Supergraph[] = [];
let current: Supergraph;

const load = (sdl: string): Promise<Supergraph> => loadSubgraphs({ shelves: sdl });

async function loadSubgraphs(sdls: Readonly<Record<string, string>>): Promise<Supergraph> {
  const composed = await composeOnce(
    Object.entries(sdls).map(([name, sdl]) => ({ name, url: `http://${name}.test`, sdl })),
  );
  if (!('sdl' in composed)) throw new Error(composed.errors.map(({ message }) => message).join('\n'));
  const supergraph = await loadSupergraphInProcess(composed.sdl);
  loaded.push(supergraph);
  return supergraph;
}

beforeAll(async () => {
  current = await load(v1);
});
afterAll(() => Promise.all(loaded.map(({ planner }) => planner.close())));

function operation(name: string, text: string): ConsumerOperation {
  const location = { file: `operations/shop/${name}.graphql`, line: 1, column: 1 };
  return { consumer: 'shop', name, document: parse(text), location, slo: {} };
}

function waiver(coordinate: string, expires = '2999-12-31'): Waiver {
  const location = { file: 'waivers.yaml', line: 1, column: 1 };
  return {
    rule: 'field-removed',
    coordinate,
    reason: 'It is time.',
    owner: 'shop',
    expires,
    location,
  };
}

async function broken(
  next: Supergraph,
  operations: readonly ConsumerOperation[],
  {
    waivers = [],
    first = false,
    from = current,
    limits = defaultGatewaySettings.limits,
    live,
  }: {
    waivers?: readonly Waiver[];
    first?: boolean;
    from?: Supergraph;
    limits?: OperationLimits;
    live?: Parameters<typeof findBrokenOperations>[0]['live'];
  } = {},
): Promise<readonly string[]> {
  const found = await findBrokenOperations({
    store: { operations, waivers },
    next,
    current: first ? undefined : from,
    limits,
    live,
    today: '2027-01-31',
    concurrency: 2,
    signal: new AbortController().signal,
  });
  return found.map((one) => `${one.operation}: ${one.reasons.join('; ')}`);
}

const label = operation('Label', 'query Label { shelf { label } }');
const width = operation('Width', 'query Width { shelf { width } }');
const colour = operation('Colour', 'query Colour { shelf { colour } }');

describe('findBrokenOperations reports an operation', () => {
  test('that only the limits of this gateway allow', async () => {
    const aliases = Array.from({ length: 60 }, (_, index) => `a${index}: shelf { label }`).join(' ');
    const many = operation('Many', `query Many { ${aliases} }`);
    const next = await load(v1.replace('label: String ', ''));
    const limits = { ...defaultGatewaySettings.limits, rootFields: 60 };
    expect([await broken(next, [many]), (await broken(next, [many], { limits })).length]).toEqual([[], 1]);
  });

  test('that worked and is refused by the next supergraph', async () => {
    const next = await load(v1.replace('label: String ', ''));
    expect(await broken(next, [label, width])).toEqual([
      'Label: Cannot query field "label" on type "Shelf".',
    ]);
  });

  test('that is valid but gets values of another type', async () => {
    const next = await load(v1.replace('width: Int', 'width: String'));
    expect(await broken(next, [label, width])).toEqual([expect.stringMatching(/^Width: .*Shelf\.width/)]);
  });

  test('whose variables the next supergraph may refuse', async () => {
    const next = await load(v1.replace('id: ID)', 'id: ID!)'));
    const byId = operation('ById', 'query ById($id: ID) { shelf(id: $id) { id } }');
    expect(await broken(next, [byId])).toHaveLength(1);
  });

  test('that fails with the first supergraph', async () => {
    expect(await broken(current, [label, colour], { first: true })).toEqual([
      'Colour: Cannot query field "colour" on type "Shelf".',
    ]);
  });
});

describe('findBrokenOperations ignores an operation', () => {
  test('that already fails', async () => {
    const next = await load(v1.replace('width: Int', 'depth: Int'));
    expect(await broken(next, [colour])).toEqual([]);
  });

  test('that gets a field from a subgraph where it stays non-null, although another makes it nullable', async () => {
    const link =
      'extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@shareable"])';
    const subgraph = (field: string, type: string) =>
      `${link} type Query { ${field}: Box } type Box @shareable { height: ${type} }`;
    const [from, next] = [
      await loadSubgraphs({ a: subgraph('a', 'Int!'), b: subgraph('b', 'Int!') }),
      await loadSubgraphs({ a: subgraph('a', 'Int!'), b: subgraph('b', 'Int') }),
    ];
    const operations = [
      operation('A', 'query A { a { height } }'),
      operation('B', 'query B { b { height } }'),
    ];
    expect(await broken(next, operations, { from })).toEqual([
      'B: Box.height has another type: Int may be null',
    ]);
  });

  test.each([
    ['the operation', waiver('shop/Label'), 0],
    ['the part of the schema', waiver('Shelf.label'), 0],
    ['the operation until yesterday', waiver('shop/Label', '2027-01-30'), 1],
    ['another part', waiver('Shelf.width'), 1],
    [
      'how the operation answers mock subgraphs',
      { ...waiver('shop/Label'), rule: 'canary-failed' as const },
      0,
    ],
    ['how old a cached value is', { ...waiver('Shelf.label'), rule: 'cached-max-age-raised' as const }, 1],
    ['what the part costs', { ...waiver('Shelf.label'), rule: 'cost-raised' as const }, 1],
    ['how long the operation takes', { ...waiver('shop/Label'), rule: 'latency-slo' as const }, 1],
    ['how many fetches it takes', { ...waiver('shop/Label'), rule: 'plan-cost' as const }, 1],
  ])('with a waiver as far as it covers the breakage: %s', async (_what, one, count) => {
    const next = await load(v1.replace('label: String ', ''));
    expect(await broken(next, [label], { waivers: [one] })).toHaveLength(count);
  });

  describe('that a change with a waiver breaks, although the waiver names another part of the schema', () => {
    const library = `
      type Query { found: Found item: Item one: Item }
      type Mutation { lend: Boolean }
      union Found = Book | Disc
      interface Item { name: String }
      type Book implements Item { name: String pages: Int }
      type Disc { name: String }
    `;
    test.each([
      [
        'a union without a type',
        'query Found { found { ... on Disc { name } } }',
        ['union Found = Book | Disc', 'union Found = Book'],
        { ...waiver('Found'), rule: 'union-member-removed' as const },
      ],
      [
        'a field of another type',
        'query One { one { ... on Book { pages } } }',
        ['one: Item', 'one: Disc'],
        { ...waiver('Query.one'), rule: 'field-type-changed' as const },
      ],
      [
        'an interface that becomes a union',
        'query Item { item { name } }',
        ['interface Item { name: String } type Book implements Item', 'union Item = Book type Book'],
        { ...waiver('Item'), rule: 'type-kind-changed' as const },
      ],
    ])('%s', async (_what, text, [before = '', after = ''], covering) => {
      const sdl = library.replaceAll(/\s+/g, ' ');
      expect(sdl).toContain(before);
      const [from, next] = [await load(sdl), await load(sdl.replace(before, after))];
      const operations = [operation('Sent', text)];
      expect(await broken(next, operations, { from })).toHaveLength(1);
      expect(await broken(next, operations, { from, waivers: [covering] })).toEqual([]);
      expect(await broken(next, operations, { from, waivers: [waiver('Query.found')] })).toHaveLength(1);
    });
  });
});

describe('findBrokenOperations applies a waiver with a subgraph only', () => {
  const link =
    'extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key", "@shareable"])';
  const shelf = (fields: string) => `${link} type Shelf @key(fields: "id") { id: ID! ${fields} }`;
  const shelves = `${shelf('label: String width: Int')} type Query { shelf(id: ID, floor: Int): Shelf }`;
  const rooms = shelf('room: String label: String');
  const shared = (sdl: string): string => sdl.replace('label: String', 'label: String @shareable');
  const of = (subgraph: string | undefined, coordinate: string, rule: Waiver['rule'] = 'field-removed') => ({
    ...waiver(coordinate),
    subgraph,
    rule,
  });
  const without = (sdl: string, part: string): string => sdl.replace(part, '');

  test.each([
    ['if that subgraph removes the field', [of('shelves', 'Shelf.width')], 0],
    ['and not if another subgraph removes the field', [of('rooms', 'Shelf.width')], 1],
    ['and not for an operation, which no finding with a subgraph names', [of('shelves', 'shop/Width')], 1],
  ])('%s', async (_when, waivers, count) => {
    const from = await loadSubgraphs({ shelves: shared(shelves), rooms: shared(rooms) });
    const next = await loadSubgraphs({
      shelves: without(shared(shelves), 'width: Int'),
      rooms: shared(rooms),
    });
    expect(await broken(next, [width], { from, waivers })).toHaveLength(count);
  });

  test.each([
    ['one of both', [of('rooms', 'Shelf.label')], 1],
    ['each', [of('rooms', 'Shelf.label'), of('shelves', 'Shelf.label')], 0],
  ])('if every subgraph that stops serving the field has one: %s', async (_which, waivers, count) => {
    const from = await loadSubgraphs({ shelves: shared(shelves), rooms: shared(rooms) });
    const next = await loadSubgraphs({
      shelves: without(shelves, 'label: String'),
      rooms: without(rooms, 'label: String'),
    });
    expect(await broken(next, [label], { from, waivers })).toHaveLength(count);
  });

  test.each([
    ['shelves', 0],
    ['rooms', 1],
  ])('if that subgraph has the field whose argument changes: %s', async (subgraph, count) => {
    const from = await loadSubgraphs({ shelves: shared(shelves), rooms: shared(rooms) });
    const next = await loadSubgraphs({
      shelves: without(shared(shelves), ', floor: Int'),
      rooms: shared(rooms),
    });
    const onFloor = operation('OnFloor', 'query OnFloor { shelf(floor: 1) { id } }');
    const waivers = [of(subgraph, 'Query.shelf(floor:)', 'argument-removed')];
    expect(await broken(next, [onFloor], { from, waivers })).toHaveLength(count);
  });

  test('if the running subgraph that fails is that one', async () => {
    const next = await load(v1);
    const problem = { subgraph: 'shelves', message: 'no width', coordinates: ['Shelf.width'] };
    const live = {
      problemsOf: async (role: 'next' | 'current') => [role === 'next' ? [problem] : []],
    };
    const counts = ['shelves', 'rooms', undefined].map(async (subgraph) => {
      const waivers = [of(subgraph, 'Shelf.width', 'field-added')];
      return (await broken(next, [width], { waivers, live })).length;
    });
    expect(await Promise.all(counts)).toEqual([0, 1, 0]);
  });

  test('as far as is known: every subgraph of the first supergraph can have made the change', async () => {
    const waivers = [of('rooms', 'Shelf.colour')];
    expect(await broken(current, [colour], { first: true, waivers })).toEqual([]);
  });
});

test('findBrokenOperations rejects with the reason of the signal when the planner was closed meanwhile', async () => {
  const next = await load(v1);
  const stop = new AbortController();
  const looking = findBrokenOperations({
    store: { operations: [label, width], waivers: [] },
    next,
    current,
    limits: defaultGatewaySettings.limits,
    today: '2027-01-31',
    concurrency: 1,
    signal: stop.signal,
  });
  const rejected = expect(looking).rejects.toThrow('overtaken');
  stop.abort(new Error('overtaken'));
  await next.planner.close();
  await rejected;
});

test('findBrokenOperations reports a second breakage of an operation although the first is waived', async () => {
  const both = operation('Both', 'query Both { shelf { label width } }');
  const next = await load(v1.replace('label: String width: Int', 'name: String width: String'));
  expect(await broken(next, [both], { waivers: [waiver('Shelf.label')] })).toEqual([
    'Both: Shelf.width has another type: String is not Int',
  ]);
});

test('findBrokenOperations reports values that subgraphs still return and the next supergraph hides', async () => {
  const link =
    'extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@inaccessible"])';
  const level = `${link} type Query { level: Level } enum Level { BASIC GOLD }`;
  const [from, hidden, gone] = [
    await load(level),
    await load(level.replace('GOLD', 'GOLD @inaccessible')),
    await load(level.replace(' GOLD', '')),
  ];
  const query = operation('Level', 'query Level { level }');
  expect(await broken(hidden, [query], { from })).toEqual([
    'Level: Query.level is null where it is Level.GOLD, which is hidden',
  ]);
  expect(await broken(gone, [query], { from })).toEqual([]);
});
