import { buildSubgraphSchema } from '@apollo/subgraph';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { type GraphQLSchema, parse } from 'graphql';
import type { AnswerSample } from '../../../gateway/insights/answerTimes.ts';
import { AnswerTimes } from '../../../gateway/insights/answerTimes.ts';
import {
  type DescribedOperation,
  describePlan,
  findDeferCandidates,
  type PlanDescription,
} from '../../../gateway/insights/planDescription.ts';
import { PlanRecord } from '../../../gateway/insights/planRecord.ts';
import {
  describePlanState,
  mergePlanStates,
  type PlanState,
  readPlanState,
  toPlanStateData,
} from '../../../gateway/insights/planState.ts';
import { predictChanges } from '../../../gateway/insights/predictChanges.ts';
import { predictCached, predictDeferred } from '../../../gateway/insights/predictions.ts';
import type { ExecutionOutcome } from '../../../gateway/response/executionOutcome.ts';
import type { Supergraph } from '../../../gateway/supergraph/supergraph.ts';
import { createRandom, type Random } from '../../../subgraphs/shared/random.ts';
import { composeSubgraphs, federationLink } from '../../harness/composeSubgraphs.ts';
import { FakeTimers } from '../../harness/fakeTimers.ts';
import { loadSupergraphInProcess } from '../../harness/loadSupergraphInProcess.ts';
import { createLocalPipeline } from '../../harness/localPipeline.ts';
import { waitForTurns } from '../../harness/waitForTurns.ts';

// Products whose fields come from six subgraphs, some of them with inputs from others.
const sdls: Readonly<Record<string, string>> = {
  products:
    'type Query { product: Product products: [Product] } type Mutation { rename: Product } type Product @key(fields: "id") { id: ID! name: Int }',
  prices: 'type Product @key(fields: "id") { id: ID! price: Int currency: Int }',
  taxes:
    'type Product @key(fields: "id") { id: ID! price: Int @external tax: Int @requires(fields: "price") } type Shop @key(fields: "id") { id: ID! rate: Int }',
  stock:
    'type Product @key(fields: "id") { id: ID! tax: Int @external stock: Int shipping: Int @requires(fields: "tax") }',
  vendors:
    'type Product @key(fields: "id") { id: ID! vendor: Vendor shop: Shop } type Vendor @key(fields: "id") { id: ID! title: Int } type Shop @key(fields: "id") { id: ID! }',
  ratings:
    'type Product @key(fields: "id") { id: ID! rating: Int } type Vendor @key(fields: "id") { id: ID! stars: Int }',
};

interface Selected {
  readonly name: string;
  readonly fields?: readonly Selected[];
}

/** Every field that a query may select. */
const product: readonly Selected[] = [
  { name: 'name' },
  { name: 'price' },
  { name: 'currency' },
  { name: 'tax' },
  { name: 'stock' },
  { name: 'shipping' },
  { name: 'rating' },
  { name: 'vendor', fields: [{ name: 'title' }, { name: 'stars' }] },
  { name: 'shop', fields: [{ name: 'id' }, { name: 'rate' }] },
];

let supergraph: Supergraph;
let subgraphs: ReadonlyMap<string, GraphQLSchema>;

beforeAll(async () => {
  const all = Object.entries(sdls).map(([name, sdl]) => ({ name, sdl: federationLink + sdl }));
  supergraph = await loadSupergraphInProcess(
    await composeSubgraphs(all.map((subgraph) => ({ ...subgraph, url: `http://${subgraph.name}.test` }))),
  );
  subgraphs = new Map(all.map(({ name, sdl }) => [name, executable(sdl)]));
});

function executable(sdl: string): GraphQLSchema {
  type Modules = Parameters<typeof buildSubgraphSchema>[0];
  const typeDefs = parse(sdl);
  const reference = { __resolveReference: (entity: object) => entity };
  const schema = buildSubgraphSchema({
    typeDefs,
    resolvers: { Product: reference, Vendor: reference, Shop: reference },
  } as unknown as Modules);
  const values: Record<string, unknown> = {
    product: { id: 'p1' },
    products: [{ id: 'p1' }, { id: 'p2' }],
    rename: { id: 'p1' },
    vendor: { id: 'v' },
    shop: { id: 's' },
  };
  for (const typeName of ['Query', 'Mutation', 'Product', 'Vendor', 'Shop']) {
    const type = schema.getType(typeName);
    if (type === undefined || !('getFields' in type)) continue;
    for (const field of Object.values(type.getFields())) {
      if (!('resolve' in field) || field.name.startsWith('_') || field.name === 'id') continue;
      field.resolve = () => values[field.name] ?? 1;
    }
  }
  return schema;
}

/** Runs an operation whose subgraphs need these times, until its first payload. */
async function run(query: string, delayOf: (subgraph: string) => number) {
  const clock = new FakeTimers();
  const startedAt = clock.now();
  const open: { at: number; respond: (() => void) | undefined }[] = [];
  let operation: DescribedOperation | undefined;
  let plan: PlanDescription | undefined;
  let sample: AnswerSample | undefined;
  const pipeline = createLocalPipeline({
    ...supergraph,
    subgraphs,
    observeExecution: (prepared) => {
      operation = prepared;
      plan = describePlan(prepared);
      const onEnd = (_: unknown, __: unknown, ended: AnswerSample | undefined): void => {
        sample = ended;
      };
      return new AnswerTimes({ plan, now: clock.now, onEnd }, startedAt, true);
    },
    wrapClient: (client) => ({
      ...client,
      send: (request, receiver) => {
        const call: (typeof open)[number] = {
          at: clock.now() + delayOf(request.subgraph),
          respond: undefined,
        };
        open.push(call);
        return client.send(request, {
          ...receiver,
          onResponse: (response) => {
            call.respond = () => receiver.onResponse(response);
          },
        });
      },
    }),
  });
  let outcome: ExecutionOutcome | undefined;
  const running = pipeline.respond(query, {}, 'deferSpec=20220824').then((settled) => {
    outcome = settled;
  });
  while (outcome === undefined) {
    await waitForTurns(2);
    open.sort((a, b) => a.at - b.at);
    const next = open.shift();
    if (next === undefined) continue;
    clock.advance(Math.max(0, next.at - clock.now()));
    next.respond?.();
    await waitForTurns();
  }
  await running;
  if (outcome.kind === 'incremental') await outcome.payloads[Symbol.asyncIterator]().return?.();
  return {
    operation: operation as DescribedOperation,
    plan: plan as PlanDescription,
    sample: sample as AnswerSample,
  };
}

function print(fields: readonly Selected[], path: string, deferred: readonly string[]): string {
  const texts = fields.map(({ name, fields: inner }) => {
    const own = `${path}.${name}`;
    const text = inner === undefined ? name : `${name} ${print(inner, own, deferred)}`;
    return deferred.includes(own) ? `... @defer { ${text} }` : text;
  });
  return `{ ${texts.join(' ')} }`;
}

function chooseFields(random: Random): Selected[] {
  return random.sample(product, random.integer(3, product.length)).map((field) => ({
    ...field,
    ...(field.fields === undefined ? {} : { fields: random.sample(field.fields, random.integer(1, 2)) }),
  }));
}

describe('the prediction of a first payload', () => {
  test('is within 10 % of the measured one when fields are deferred, in generated plans', async () => {
    const wrong: unknown[] = [];
    let compared = 0;
    let improved = 0;
    for (let seed = 1; seed <= 25; seed++) {
      const random = createRandom(seed);
      const fields = chooseFields(random);
      const root = random.pick(['product', 'products']);
      const delays = new Map(Object.keys(sdls).map((name) => [name, random.integer(5, 200)]));
      const delayOf = (subgraph: string): number => delays.get(subgraph) as number;
      const { operation, plan, sample } = await run(`{ ${root} ${print(fields, root, [])} }`, delayOf);
      const candidates = findDeferCandidates(operation).filter(({ fields: [first] }) => first !== root);
      for (const candidate of random.sample(candidates, 3)) {
        const query = `{ ${root} ${print(fields, root, candidate.fields)} }`;
        const measured = (await run(query, delayOf)).sample.firstPayloadMs;
        const predicted = predictDeferred(plan, sample, candidate.released);
        compared += 1;
        if (measured < sample.firstPayloadMs) improved += 1;
        if (Math.abs(predicted - measured) > 0.1 * measured)
          wrong.push({ seed, query, predicted, measured, before: sample.firstPayloadMs });
      }
    }
    expect(wrong).toEqual([]);
    expect([compared > 50, improved > 15]).toEqual([true, true]);
  });

  test('and of the completion is exact when the data of one fetch is cached', async () => {
    const wrong: unknown[] = [];
    for (let seed = 1; seed <= 10; seed++) {
      const random = createRandom(seed);
      const fields = chooseFields(random);
      const delays = new Map(Object.keys(sdls).map((name) => [name, random.integer(5, 200)]));
      const query = `{ product ${print(fields, 'product', [])} }`;
      const { plan, sample } = await run(query, (subgraph) => delays.get(subgraph) as number);
      const cached = random.pick(plan.steps.map(({ subgraph }) => subgraph));
      const steps = plan.steps.flatMap(({ subgraph }, index) => (subgraph === cached ? [index] : []));
      delays.set(cached, 0);
      const measured = (await run(query, (subgraph) => delays.get(subgraph) as number)).sample;
      const predicted = predictCached(plan, sample, new Set(steps));
      const difference = predicted.completeMs - measured.completeMs;
      if (Math.abs(difference) > 0.01 || predicted.firstPayloadMs !== predicted.completeMs)
        wrong.push({ seed, query, cached, predicted, measured: measured.completeMs });
    }
    expect(wrong).toEqual([]);
  });

  test('is the present time for the cache of a fetch that was not sent, or that nothing waited for', () => {
    const step = { path: [], fields: ['a'], group: 0, isCacheable: true };
    const plan: PlanDescription = {
      steps: [
        { ...step, subgraph: 'slow', dependsOn: [] },
        { ...step, subgraph: 'fast', dependsOn: [] },
        { ...step, subgraph: 'unsent', dependsOn: [1] },
      ],
      groups: [{ steps: [0, 1, 2], dataSteps: [0, 1, 2] }],
      enrichmentGroups: [],
    };
    const sample: AnswerSample = {
      plannedMs: 5,
      readyMs: 105,
      firstPayloadMs: 106,
      completeMs: 106,
      pendingGroups: new Set(),
      steps: { starts: [25, 6, Number.NaN], ends: [105, 10, Number.NaN] },
    };
    const cached = (index: number) => predictCached(plan, sample, new Set([index])).completeMs;
    expect([cached(0), cached(1), cached(2)]).toEqual([26, 106, 106]);
  });

  test('is not made for caches of mutations, and of what is read after them', async () => {
    const kindsOf = async (query: string) => {
      const { operation, plan, sample } = await run(query, () => 50);
      const whatIf = predictChanges(plan, [sample], findDeferCandidates(operation));
      return whatIf.map(({ kind, subgraph }) => `${kind} ${subgraph}`);
    };
    expect(await kindsOf('mutation { rename { name price } }')).toEqual([]);
    expect(await kindsOf('{ product { name price } }')).toEqual(
      expect.arrayContaining(['deferred prices', 'cached products', 'cached prices']),
    );
  });

  test('of several processes is made from the answers of all of them', async () => {
    const query = '{ product { name price tax rating vendor { stars } ... @defer { stock } } }';
    const random = createRandom(1);
    const delays = new Map<string, number>();
    const runs: Awaited<ReturnType<typeof run>>[] = [];
    for (let n = 0; n < 6; n++) {
      for (const name of Object.keys(sdls)) delays.set(name, random.integer(5, 200));
      runs.push(await run(query, (subgraph) => delays.get(subgraph) as number));
    }
    const [{ operation, plan }] = runs as [(typeof runs)[number]];
    const stateOf = (recorded: typeof runs): PlanState => {
      const record = new PlanRecord(operation, { plan, windowMs: 60_000, now: () => 0, onAnswer: () => {} });
      for (const { sample } of recorded)
        record.onEnd(sample, { isComplete: true, hasErrors: false }, sample, 0);
      return record.state();
    };
    const sent = [runs.slice(0, 2), runs.slice(2)].map((part) =>
      readPlanState(JSON.parse(JSON.stringify(toPlanStateData(stateOf(part))))),
    );
    const [merged, ...others] = mergePlanStates(sent).map(describePlanState);
    expect([merged, others]).toEqual([describePlanState(stateOf(runs)), []]);
    expect(merged?.whatIf.map(({ kind }) => kind)).toEqual(expect.arrayContaining(['deferred', 'cached']));
  });
});
