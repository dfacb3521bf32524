import { isDeepStrictEqual } from 'node:util';
import {
  buildSchema,
  type GraphQLSchema,
  getNullableType,
  isAbstractType,
  isEnumType,
  isListType,
  isNonNullType,
  Kind,
  parse,
  print,
  subscribe,
} from 'graphql';
import type { ConsumerOperation } from '../../../../contracts/contractStore.ts';
import { fieldOf } from '../../../../contracts/graph/fieldOf.ts';
import { messageOf } from '../../../../gateway/errors.ts';
import { listOverrideSets } from '../../../../gateway/operation/overrideDecision.ts';
import { relevantOverrides } from '../../../../gateway/operation/relevantOverrides.ts';
import type { Planner } from '../../../../gateway/planning/planner.ts';
import type { SourceEvent } from '../../../../gateway/subscriptions/sources/subscriptionSource.ts';
import { SubscriptionManager } from '../../../../gateway/subscriptions/subscriptionManager.ts';
import type { Supergraph } from '../../../../gateway/supergraph/supergraph.ts';
import { systemTimers } from '../../../../gateway/time/timers.ts';
import { loadSupergraphInProcess } from '../../../harness/loadSupergraphInProcess.ts';
import { createLocalPipeline, type LocalAnswer } from '../../../harness/localPipeline.ts';
import { composeOnce } from '../../../harness/shared/compositions.ts';
import { clientVariables, type Variables } from './clientVariables.ts';
import { type Contracts, nameOf } from './goldenGraph.ts';
import { matchesClientSchema } from './matchesClientSchema.ts';
import { isUnknownEnumValue, isUnknownMember, type MockOptions, mockSubgraph } from './mockSubgraph.ts';

/** What happens to an operation when it is executed. */
export interface OperationRunResult {
  /** How it breaks with the new gateway and the new subgraphs; `undefined` when it works. Without a new gateway: with
   *  the old one. */
  readonly breakageAfterRollout: string | undefined;
  /** By changed subgraph. */
  readonly rollouts: ReadonlyMap<string, RolloutRunResult>;
  /** The same while all of several changed subgraphs have the other version than the gateways. */
  readonly jointRollout: RolloutRunResult | undefined;
  /** It works after the rollout, but returns other data than before. */
  readonly isDataChanged: boolean;
}

/** How an operation breaks while one subgraph and the gateways have different versions. */
interface RolloutRunResult {
  /** The old gateway with the new version of this subgraph and old versions of all others. */
  readonly oldGateway: string | undefined;
  /** The new gateway with the old version of this subgraph and new versions of all others. */
  readonly newGateway: string | undefined;
}

export interface RunResults {
  /** Why there is no new gateway. */
  readonly refusal: string | undefined;
  /** By `consumer/Operation`. */
  readonly operations: ReadonlyMap<string, OperationRunResult>;
}

export interface LoadedContracts {
  readonly contracts: Contracts;
  readonly supergraph: Supergraph;
  /** The outcome of each operation with the graph's own subgraphs, computed on demand. */
  ownOutcomes?: Promise<ReadonlyMap<string, Outcome>>;
}

/** Composes and loads contracts.
 *  @throws {Error} with the problems of the composer or the gateway. */
export async function loadContracts(contracts: Contracts): Promise<LoadedContracts> {
  const composed = await composeOnce([...contracts.values()]);
  if ('errors' in composed) throw new Error(composed.errors.map(({ message }) => message).join('\n'));
  const supergraph = await loadSupergraphInProcess(composed.sdl);
  return { contracts, supergraph: { ...supergraph, planner: cachePlans(supergraph.planner) } };
}

/** Every pipeline plans the same few operations. */
function cachePlans(planner: Planner): Planner {
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

/** Runs every operation, with all variables that a client may send and all sets of `@override` labels that may be active,
 *  on both gateways and both versions of the subgraphs. */
export async function runOperations(
  old: LoadedContracts,
  next: Contracts,
  operations: readonly ConsumerOperation[],
): Promise<RunResults> {
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
      runAll({ gateway, subgraphs, generations: [old.contracts, next], schemas, client: old, operations });
    old.ownOutcomes ??= runMocked(
      {
        gateway: old,
        subgraphs: old.contracts,
        generations: [old.contracts],
        schemas: [],
        client: old,
        operations,
      },
      { nulls: new Set(), foreignSchemas: [] },
    );
    const before = await old.ownOutcomes;
    const last = loaded === undefined ? await run(old, next) : await run(loaded, next);
    const runRollout = async (before: Contracts, after: Contracts) => {
      const oldGateway = await run(old, after);
      const newGateway = loaded === undefined ? oldGateway : await run(loaded, before);
      return (name: string) => ({
        oldGateway: oldGateway.get(name)?.breakage,
        newGateway: newGateway.get(name)?.breakage,
      });
    };
    const rollouts = new Map<string, (name: string) => RolloutRunResult>();
    for (const name of changedSubgraphs(old.contracts, next)) {
      const before = replaceSubgraph(next, name, old.contracts);
      rollouts.set(name, await runRollout(before, replaceSubgraph(old.contracts, name, next)));
    }
    const jointRollout =
      rollouts.size > 1 && loaded !== undefined ? await runRollout(old.contracts, next) : undefined;
    const results = operations.map((operation): [string, OperationRunResult] => {
      const name = nameOf(operation);
      const breakageAfterRollout = last.get(name)?.breakage;
      return [
        name,
        {
          breakageAfterRollout,
          rollouts: new Map([...rollouts].map(([subgraph, resultOf]) => [subgraph, resultOf(name)])),
          jointRollout: jointRollout?.(name),
          isDataChanged:
            breakageAfterRollout === undefined &&
            !isDeepStrictEqual(last.get(name)?.data, before.get(name)?.data),
        },
      ];
    });
    return { refusal, operations: new Map(results) };
  } finally {
    await loaded?.supergraph.planner.close();
  }
}

/** Operations that break at any time. */
export function brokenAtAnyTime({ operations }: RunResults): Set<string> {
  return namesOf(
    operations,
    ({ breakageAfterRollout, rollouts, jointRollout }) =>
      breakageAfterRollout !== undefined ||
      [...rollouts.values(), jointRollout].some(
        (one) => one?.oldGateway !== undefined || one?.newGateway !== undefined,
      ),
  );
}

/** Operations that break after the rollout, or in every order in which one of the subgraphs can be rolled out. */
export function broken({ operations }: RunResults): Set<string> {
  return namesOf(
    operations,
    ({ breakageAfterRollout, rollouts }) =>
      breakageAfterRollout !== undefined ||
      [...rollouts.values()].some((one) => one.oldGateway !== undefined && one.newGateway !== undefined),
  );
}

/** Operations that return other data than before. */
export function differing({ operations }: RunResults): Set<string> {
  return namesOf(operations, ({ isDataChanged }) => isDataChanged);
}

function namesOf(
  operations: RunResults['operations'],
  isMeant: (results: OperationRunResult) => boolean,
): Set<string> {
  return new Set([...operations].filter(([, results]) => isMeant(results)).map(([name]) => name));
}

function changedSubgraphs(old: Contracts, next: Contracts): readonly string[] {
  const names = new Set([...old.keys(), ...next.keys()]);
  return [...names].filter((name) => old.get(name)?.sdl !== next.get(name)?.sdl);
}

/** Contracts with one subgraph from `others`. */
function replaceSubgraph(contracts: Contracts, name: string, others: Contracts): Contracts {
  const mixed = new Map(contracts);
  const other = others.get(name);
  if (other === undefined) mixed.delete(name);
  else mixed.set(name, other);
  return mixed;
}

interface RunOptions {
  readonly gateway: LoadedContracts;
  readonly subgraphs: Contracts;
  /** Both versions of the contracts. */
  readonly generations: readonly Contracts[];
  /** API schemas of both versions. */
  readonly schemas: readonly GraphQLSchema[];
  /** The graph that the clients were written for. */
  readonly client: LoadedContracts;
  readonly operations: readonly ConsumerOperation[];
}

interface Outcome {
  readonly breakage: string | undefined;
  /** Data by variables, from subgraphs without nulls: once for each set of `@override` labels with data of its own. */
  readonly data: readonly (readonly unknown[])[];
}

/** Runs with subgraphs without nulls; with subgraphs that return null where another version may not; and with
 *  subgraphs that return values unknown to another version. */
async function runAll(options: RunOptions): Promise<ReadonlyMap<string, Outcome>> {
  const { subgraphs, schemas } = options;
  const kind = await runMocked(options, { nulls: new Set(), foreignSchemas: [] });
  const hostile: ReadonlyMap<string, Outcome>[] = [];
  const nulls = possibleNulls(subgraphs, schemas);
  if (nulls.size > 0) hostile.push(await runMocked(options, { nulls, foreignSchemas: [] }));
  if (hasForeignValues(subgraphs, schemas)) {
    hostile.push(await runMocked(options, { nulls: new Set(), foreignSchemas: schemas }));
  }
  return new Map(
    [...kind].map(([name, { breakage, data }]) => [
      name,
      {
        breakage: [breakage, ...hostile.map((outcomes) => outcomes.get(name)?.breakage)].find(Boolean),
        data,
      },
    ]),
  );
}

async function runMocked(
  { gateway, subgraphs, generations, client, operations }: RunOptions,
  mocks: Omit<MockOptions, 'onViolation'>,
): Promise<ReadonlyMap<string, Outcome>> {
  const violations: string[] = [];
  const names = new Set(generations.flatMap((contracts) => [...contracts.keys()]));
  const schemas = new Map(
    [...names].map((name) => {
      const sdl = subgraphs.get(name)?.sdl;
      return [
        name,
        sdl === undefined
          ? emptySchema
          : mockSubgraph(sdl, { ...mocks, onViolation: (violation) => violations.push(violation) }),
      ] as const;
    }),
  );
  const subscriptions = new SubscriptionManager({
    source: {
      subscribe: (request, receiver) => ({ cancel: sendOneEvent(schemas, request, receiver) }),
      close: async () => {},
    },
    queue: { maxEvents: 10, maxBytes: 1_000_000, policy: 'close' },
    reportsInterruptions: false,
    toClientError: (error) => error,
    toClientInterruption: (error) => error,
    retryLimits: { attempts: 3, connectTimeoutMs: 0, minDelay: 100, maxDelay: 1_000 },
    onResubscribeFailed: () => {},
    onInternalError: () => {},
    openStream: () => () => {},
    connectionParamsFor: () => ({}),
    idleTimeoutMs: 0,
    timers: systemTimers,
  });
  let activeLabels: readonly string[] = [];
  const pipeline = createLocalPipeline({
    ...gateway.supergraph,
    subgraphs: schemas,
    subscriptions,
    isOverridden: (label) => activeLabels.includes(label),
  });
  const outcomes = new Map<string, Outcome>();
  const { apiSchema } = client.supergraph;
  for (const operation of operations) {
    const { document } = operation;
    let breakage: string | undefined;
    const data: (readonly unknown[])[] = [];
    const labels = relevantOverrides(gateway.supergraph, document, undefined);
    for (const overrides of listOverrideSets(labels)) {
      activeLabels = overrides;
      const received: unknown[] = [];
      for (const variables of clientVariables(apiSchema, document)) {
        violations.length = 0;
        const answer = await executeFirst(pipeline, print(document), variables);
        received.push(answer.data);
        if (answer.errors !== undefined) breakage ??= JSON.stringify(answer.errors);
        if (violations.length > 0) breakage ??= violations.join('; ');
        // These subgraphs have a value for everything, so the gateway refused one.
        if (mocks.nulls.size === 0 && hasNull(answer.data)) breakage ??= 'a value is lost';
        if (!matchesClientSchema(apiSchema, document, answer.data)) {
          breakage ??= `not what the client expects: ${JSON.stringify(answer.data)}`;
        }
      }
      if (!data.some((other) => isDeepStrictEqual(other, received))) data.push(received);
    }
    outcomes.set(nameOf(operation), { breakage, data });
  }
  await subscriptions.close();
  return outcomes;
}

/** The schema of a subgraph that does not run. */
const emptySchema = buildSchema('type Query { nothing: Int }');

/** The answer, or the first event of a subscription. */
async function executeFirst(
  pipeline: ReturnType<typeof createLocalPipeline>,
  query: string,
  variables: Variables,
): Promise<LocalAnswer> {
  try {
    if (!query.startsWith('subscription')) return await pipeline.execute(query, variables);
    const outcome = await pipeline.respond(query, variables);
    if (outcome.kind !== 'subscription') throw new Error('The operation must be a subscription.');
    for await (const { text } of outcome.events) return JSON.parse(text) as LocalAnswer;
    throw new Error('There was no event.');
  } catch (error) {
    return { errors: [messageOf(error)] };
  }
}

type Source = ConstructorParameters<typeof SubscriptionManager>[0]['source'];

function sendOneEvent(
  schemas: ReadonlyMap<string, GraphQLSchema>,
  { subgraph, query, variables }: Parameters<Source['subscribe']>[0],
  receiver: Parameters<Source['subscribe']>[1],
): () => void {
  const send = async (): Promise<void> => {
    const schema = schemas.get(subgraph) ?? emptySchema;
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

/** Coordinates at which these subgraphs may return null and clients of one of the graphs do not expect it. */
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
          // A subgraph with `@interfaceObject` has an interface as an object type.
          const promised = fieldOf(schema.getType(definition.name.value), name.value)?.type;
          const coordinate = `${definition.name.value}.${name.value}`;
          if (promised !== undefined) yield { coordinate, type, promised };
        }
      }
    }
  }
}

function hasForeignValues(subgraphs: Contracts, schemas: readonly GraphQLSchema[]): boolean {
  return [...subgraphs.values()].some(({ sdl }) =>
    findForeignValues(
      mockSubgraph(sdl, { nulls: new Set(), foreignSchemas: [], onViolation: () => {} }),
      schemas,
    ),
  );
}

function findForeignValues(subgraph: GraphQLSchema, schemas: readonly GraphQLSchema[]): boolean {
  return Object.values(subgraph.getTypeMap()).some((type) => {
    if (isEnumType(type)) {
      return type
        .getValues()
        .some(({ name }) => schemas.some((other) => isUnknownEnumValue(other, type.name, name)));
    }
    if (!isAbstractType(type)) return false;
    return subgraph
      .getPossibleTypes(type)
      .some(({ name }) => schemas.some((other) => isUnknownMember(other, type.name, name)));
  });
}
