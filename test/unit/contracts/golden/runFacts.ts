import { isDeepStrictEqual } from 'node:util';
import {
  buildSchema,
  type GraphQLSchema,
  getNullableType,
  isAbstractType,
  isEnumType,
  isListType,
  isNonNullType,
  isObjectType,
  Kind,
  parse,
  print,
  subscribe,
} from 'graphql';
import type { ConsumerOperation } from '../../../../gateway/contracts/contractStore.ts';
import type { Planner } from '../../../../gateway/planning/planner.ts';
import type { SourceEvent } from '../../../../gateway/subscriptions/sources/subscriptionSource.ts';
import { Subscriptions } from '../../../../gateway/subscriptions/subscriptions.ts';
import { messageOf } from '../../../../gateway/supergraph/messageOf.ts';
import type { Supergraph } from '../../../../gateway/supergraph/supergraph.ts';
import { systemTimers } from '../../../../gateway/time/timers.ts';
import { loadInProcess } from '../../../harness/loadInProcess.ts';
import { type LocalAnswer, localPipeline } from '../../../harness/localPipeline.ts';
import { composeOnce } from '../../../harness/shared/compositions.ts';
import { clientVariables, type Variables } from './clientVariables.ts';
import { type Contracts, nameOf } from './goldenGraph.ts';
import { isAsExpected } from './isAsExpected.ts';
import { isNoMember, isNoValue, type MockOptions, mockSubgraph } from './mockSubgraph.ts';

/** What really happens to an operation. */
export interface OperationFacts {
  /** How it breaks with the new gateway and the new subgraphs; `undefined` where it works. Where there is no new
   *  gateway: with the old one. */
  readonly breaksInTheEnd: string | undefined;
  /** By changed subgraph. */
  readonly rollouts: ReadonlyMap<string, RolloutFacts>;
  /** It works in the end, and brings other data than before. */
  readonly differs: boolean;
}

/** How an operation breaks while one subgraph and the gateways are not of the same generation. */
export interface RolloutFacts {
  /** The old gateway, with the new version of this subgraph and the old ones of all others. */
  readonly oldGateway: string | undefined;
  /** The new gateway, with the old version of this subgraph and the new ones of all others. */
  readonly newGateway: string | undefined;
}

export interface Facts {
  /** Why there is no new gateway. */
  readonly refusal: string | undefined;
  /** By `consumer/Operation`. */
  readonly operations: ReadonlyMap<string, OperationFacts>;
}

export interface LoadedContracts {
  readonly contracts: Contracts;
  readonly supergraph: Supergraph;
  /** What each operation brings with its own subgraphs, once somebody has asked. */
  own?: Promise<ReadonlyMap<string, Outcome>>;
}

/** Errors: an `Error` with what the composer or the gateway has against it. */
export async function loadContracts(contracts: Contracts): Promise<LoadedContracts> {
  const composed = await composeOnce([...contracts.values()]);
  if ('errors' in composed) throw new Error(composed.errors.map(({ message }) => message).join('\n'));
  const supergraph = await loadInProcess(composed.sdl);
  return { contracts, supergraph: { ...supergraph, planner: rememberPlans(supergraph.planner) } };
}

/** The same few operations are planned for each pipeline. */
function rememberPlans(planner: Planner): Planner {
  const plans = new Map<string, ReturnType<Planner['plan']>>();
  return {
    ...planner,
    plan: (request) => {
      const key = JSON.stringify(request);
      const plan = plans.get(key) ?? planner.plan(request);
      plans.set(key, plan);
      return plan;
    },
  };
}

/** Runs every operation, with all that a client may send, by both gateways against both generations of subgraphs. */
export async function runFacts(
  old: LoadedContracts,
  next: Contracts,
  operations: readonly ConsumerOperation[],
): Promise<Facts> {
  let refusal: string | undefined;
  const loaded = await loadContracts(next).catch((error: unknown) => {
    refusal = messageOf(error);
    return undefined;
  });
  try {
    const schemas = [
      old.supergraph.apiSchema,
      ...(loaded === undefined ? [] : [loaded.supergraph.apiSchema]),
    ];
    const run = (gateway: LoadedContracts, subgraphs: Contracts) =>
      runAll({ gateway, subgraphs, all: [old.contracts, next], schemas, client: old, operations });
    old.own ??= runMocked(
      { gateway: old, subgraphs: old.contracts, all: [old.contracts], schemas: [], client: old, operations },
      { nulls: new Set(), strangers: [] },
    );
    const before = await old.own;
    const last = loaded === undefined ? await run(old, next) : await run(loaded, next);
    const rollouts = new Map<string, readonly ReadonlyMap<string, Outcome>[]>();
    for (const name of changedSubgraphs(old.contracts, next)) {
      const oldGateway = await run(old, withOne(old.contracts, name, next));
      const newGateway =
        loaded === undefined ? oldGateway : await run(loaded, withOne(next, name, old.contracts));
      rollouts.set(name, [oldGateway, newGateway]);
    }
    const facts = operations.map((operation): [string, OperationFacts] => {
      const name = nameOf(operation);
      const breaksInTheEnd = last.get(name)?.breaks;
      return [
        name,
        {
          breaksInTheEnd,
          rollouts: new Map(
            [...rollouts].map(([subgraph, [oldGateway, newGateway]]) => [
              subgraph,
              { oldGateway: oldGateway?.get(name)?.breaks, newGateway: newGateway?.get(name)?.breaks },
            ]),
          ),
          differs:
            breaksInTheEnd === undefined && !isDeepStrictEqual(last.get(name)?.data, before.get(name)?.data),
        },
      ];
    });
    return { refusal, operations: new Map(facts) };
  } finally {
    await loaded?.supergraph.planner.close();
  }
}

function changedSubgraphs(old: Contracts, next: Contracts): readonly string[] {
  const names = new Set([...old.keys(), ...next.keys()]);
  return [...names].filter((name) => old.get(name)?.sdl !== next.get(name)?.sdl);
}

/** Contracts with one subgraph as it is, or is not, among others. */
function withOne(contracts: Contracts, name: string, others: Contracts): Contracts {
  const mixed = new Map(contracts);
  const other = others.get(name);
  if (other === undefined) mixed.delete(name);
  else mixed.set(name, other);
  return mixed;
}

interface RunOptions {
  readonly gateway: LoadedContracts;
  readonly subgraphs: Contracts;
  /** Both generations: all subgraphs that there ever are. */
  readonly all: readonly Contracts[];
  /** API schemas of both generations. */
  readonly schemas: readonly GraphQLSchema[];
  /** What the clients were written for. */
  readonly client: LoadedContracts;
  readonly operations: readonly ConsumerOperation[];
}

interface Outcome {
  readonly breaks: string | undefined;
  /** By the variables, of subgraphs that leave out nothing. */
  readonly data: readonly unknown[];
}

/** With subgraphs that leave out nothing; with such that answer null where they may and another generation may not;
 *  and with such that send what another generation does not know. */
async function runAll(options: RunOptions): Promise<ReadonlyMap<string, Outcome>> {
  const { subgraphs, schemas } = options;
  const kind = await runMocked(options, { nulls: new Set(), strangers: [] });
  const hostile: ReadonlyMap<string, Outcome>[] = [];
  const nulls = possibleNulls(subgraphs, schemas);
  if (nulls.size > 0) hostile.push(await runMocked(options, { nulls, strangers: [] }));
  if (hasStrangers(subgraphs, schemas)) {
    hostile.push(await runMocked(options, { nulls: new Set(), strangers: schemas }));
  }
  return new Map(
    [...kind].map(([name, { breaks, data }]) => [
      name,
      { breaks: [breaks, ...hostile.map((outcomes) => outcomes.get(name)?.breaks)].find(Boolean), data },
    ]),
  );
}

async function runMocked(
  { gateway, subgraphs, all, client, operations }: RunOptions,
  mocks: Omit<MockOptions, 'onWrong'>,
): Promise<ReadonlyMap<string, Outcome>> {
  const wrong: string[] = [];
  const names = new Set(all.flatMap((contracts) => [...contracts.keys()]));
  const schemas = new Map(
    [...names].map((name) => {
      const sdl = subgraphs.get(name)?.sdl;
      return [
        name,
        sdl === undefined ? nothing : mockSubgraph(sdl, { ...mocks, onWrong: (what) => wrong.push(what) }),
      ] as const;
    }),
  );
  const subscriptions = new Subscriptions({
    source: {
      subscribe: (request, receiver) => ({ cancel: sendOneEvent(schemas, request, receiver) }),
      close: async () => {},
    },
    queue: { maxEvents: 10, maxBytes: 1_000_000, policy: 'close' },
    tellsInterruptions: false,
    tellError: (error) => error,
    openStream: () => () => {},
    connectionParamsFor: () => ({}),
    idleTimeoutMs: 0,
    timers: systemTimers,
  });
  const pipeline = localPipeline({ ...gateway.supergraph, subgraphs: schemas, subscriptions });
  const outcomes = new Map<string, Outcome>();
  const { apiSchema } = client.supergraph;
  for (const operation of operations) {
    const { document } = operation;
    let breaks: string | undefined;
    const data: unknown[] = [];
    for (const variables of clientVariables(apiSchema, document)) {
      wrong.length = 0;
      const answer = await ask(pipeline, print(document), variables);
      data.push(answer.data);
      if (answer.errors !== undefined) breaks ??= JSON.stringify(answer.errors);
      if (wrong.length > 0) breaks ??= wrong.join('; ');
      // These subgraphs have values for everything: the gateway could not take one.
      if (mocks.nulls.size === 0 && hasNull(answer.data)) breaks ??= 'a value is lost';
      if (!isAsExpected(apiSchema, document, answer.data)) {
        breaks ??= `not what the client expects: ${JSON.stringify(answer.data)}`;
      }
    }
    outcomes.set(nameOf(operation), { breaks, data });
  }
  await subscriptions.close();
  return outcomes;
}

/** Of a subgraph that does not run. */
const nothing = buildSchema('type Query { nothing: Int }');

/** One answer, or the first event of a subscription. */
async function ask(
  pipeline: ReturnType<typeof localPipeline>,
  query: string,
  variables: Variables,
): Promise<LocalAnswer> {
  try {
    if (!query.startsWith('subscription')) return await pipeline.ask(query, variables);
    const outcome = await pipeline.respond(query, variables);
    if (outcome.kind !== 'subscription') throw new Error('An event was asked for.');
    for await (const { text } of outcome.events) return JSON.parse(text) as LocalAnswer;
    throw new Error('There was no event.');
  } catch (error) {
    return { errors: [messageOf(error)] };
  }
}

type Source = ConstructorParameters<typeof Subscriptions>[0]['source'];

function sendOneEvent(
  schemas: ReadonlyMap<string, GraphQLSchema>,
  { subgraph, query, variables }: Parameters<Source['subscribe']>[0],
  receiver: Parameters<Source['subscribe']>[1],
): () => void {
  const send = async (): Promise<void> => {
    const schema = schemas.get(subgraph) ?? nothing;
    const document = parse(query);
    const events = await subscribe({ schema, document, variableValues: variables });
    const [event] = 'next' in events ? [(await events.next()).value] : [events];
    const { data, errors } = JSON.parse(JSON.stringify(event ?? {})) as Pick<SourceEvent, 'data' | 'errors'>;
    receiver.onEvent({ data, errors, extensions: undefined, size: 1 });
    receiver.onComplete();
  };
  void send();
  return () => {};
}

function hasNull(value: unknown): boolean {
  if (typeof value !== 'object') return false;
  return value === null || Object.values(value).some(hasNull);
}

/** Where these subgraphs may answer null and clients of one of the graphs cannot take it. */
function possibleNulls(subgraphs: Contracts, schemas: readonly GraphQLSchema[]): ReadonlySet<string> {
  const nulls = new Set<string>();
  for (const { coordinate, type, promised } of fieldsOf(subgraphs, schemas)) {
    if (isNonNullType(promised) && type.kind !== Kind.NON_NULL_TYPE) nulls.add(coordinate);
    const list = type.kind === Kind.NON_NULL_TYPE ? type.type : type;
    const promisedList = getNullableType(promised);
    if (list.kind !== Kind.LIST_TYPE || !isListType(promisedList)) continue;
    if (isNonNullType(promisedList.ofType) && list.type.kind !== Kind.NON_NULL_TYPE) {
      nulls.add(`${coordinate}[]`);
    }
  }
  return nulls;
}

function* fieldsOf(subgraphs: Contracts, schemas: readonly GraphQLSchema[]) {
  for (const { sdl } of subgraphs.values()) {
    for (const definition of parse(sdl, { noLocation: true }).definitions) {
      if (definition.kind !== Kind.OBJECT_TYPE_DEFINITION) continue;
      for (const { name, type } of definition.fields ?? []) {
        for (const schema of schemas) {
          const parent = schema.getType(definition.name.value);
          const promised = isObjectType(parent) ? parent.getFields()[name.value]?.type : undefined;
          const coordinate = `${definition.name.value}.${name.value}`;
          if (promised !== undefined) yield { coordinate, type, promised };
        }
      }
    }
  }
}

function hasStrangers(subgraphs: Contracts, schemas: readonly GraphQLSchema[]): boolean {
  return [...subgraphs.values()].some(({ sdl }) =>
    findStrangers(mockSubgraph(sdl, { nulls: new Set(), strangers: [], onWrong: () => {} }), schemas),
  );
}

function findStrangers(subgraph: GraphQLSchema, schemas: readonly GraphQLSchema[]): boolean {
  return Object.values(subgraph.getTypeMap()).some((type) => {
    if (isEnumType(type)) {
      return type.getValues().some(({ name }) => schemas.some((other) => isNoValue(other, type.name, name)));
    }
    if (!isAbstractType(type)) return false;
    return subgraph
      .getPossibleTypes(type)
      .some(({ name }) => schemas.some((other) => isNoMember(other, type.name, name)));
  });
}
