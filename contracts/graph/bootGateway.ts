import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { print } from 'graphql';
import type { GatewayOptions } from '../../gateway/config/schema.ts';
import { readRequirements } from '../../gateway/operation/authorization/requirements.ts';
import { type HttpRequest, sendHttpRequest } from '../../gateway/supergraph/sources/httpRequest.ts';
import type { ConsumerOperation } from '../contractStore.ts';
import { createFinding, type Finding } from '../finding.ts';
import { defaultGatewaySettings, type GatewaySettings } from '../gatewaySettings.ts';
import { chooseCanaries } from './chooseCanaries.ts';
import type { ContractGraph } from './composeGraph.ts';
import { createMockVariables } from './createMockVariables.ts';
import { startMockSubgraph } from './mockSubgraph.ts';
import { operationOf } from './operationOf.ts';
import { subgraphSchemaOf } from './subgraphSchema.ts';
import { supergraphMetadataOf } from './supergraphMetadata.ts';

/** Starts a gateway in this process. Resolves when it accepts connections, whether or not it loaded its supergraph. Every
 *  request is that of a client with these scopes and all policies. */
export type StartGateway = (options: GatewayOptions, scopes: readonly string[]) => Promise<StartedGateway>;

interface StartedGateway {
  /** URL of the GraphQL route. */
  readonly url: string;
  readonly adminUrl: string;
  close(): Promise<void>;
}

/** Starts a gateway on the graph, with a mock in place of every subgraph, and lets it answer some of the operations.
 *  A gateway that does not become ready is the finding `boot-failed`, an answer with errors is `canary-failed`. Operations
 *  that the graph refuses are not sent, because planning reports them, nor are subscriptions. All listeners use free ports
 *  of the loopback interface. */
export async function bootGateway(
  graph: ContractGraph,
  operations: readonly ConsumerOperation[],
  startGateway: StartGateway,
  { limits, planningMemory }: Pick<GatewaySettings, 'limits' | 'planningMemory'> = defaultGatewaySettings,
): Promise<readonly Finding[]> {
  const planning = { memory: planningMemory, timeout: canaryTimeoutMs };
  const start: StartGateway = (options, scopes) => startGateway({ ...options, limits, planning }, scopes);
  const cleanups: (() => Promise<void>)[] = [];
  try {
    return await bootGatewayOn(graph, operations, start, cleanups);
  } finally {
    for (const cleanup of cleanups.reverse()) await cleanup();
  }
}

/** Long, because the rest of the check keeps the same event loop busy for seconds: no answer may depend on how busy the
 *  machine that checks is. */
const canaryTimeoutMs = 60_000;

async function bootGatewayOn(
  graph: ContractGraph,
  operations: readonly ConsumerOperation[],
  startGateway: StartGateway,
  cleanups: (() => Promise<void>)[],
): Promise<readonly Finding[]> {
  const timeouts = { attempt: canaryTimeoutMs, deadline: canaryTimeoutMs };
  const subgraphs: Record<string, NonNullable<GatewayOptions['subgraphs']>[string]> = { all: { timeouts } };
  for (const contract of graph.contracts.values()) {
    const mock = await startMockSubgraph(subgraphSchemaOf(contract), graph.supergraph.apiSchema);
    cleanups.push(() => mock.close());
    subgraphs[contract.name] = { url: mock.url };
  }
  const directory = await mkdtemp(join(tmpdir(), 'tributary-contracts-'));
  cleanups.push(() => rm(directory, { recursive: true }));
  const file = join(directory, 'supergraph.graphql');
  await writeFile(file, graph.sdl);
  const options: GatewayOptions = {
    listen: { host: '127.0.0.1', port: 0, drainTimeout: 0 },
    admin: { port: 0 },
    // Watched: the gateway ends where one that is not watched is refused.
    supergraph: { file },
    subgraphs,
    overload: {
      eventLoopDelay: 0,
      memory: 1,
      queueTime: canaryTimeoutMs,
      executionQueueTime: canaryTimeoutMs,
    },
    // A guard would check the same graph again.
    contracts: { guard: 'off' },
    security: { introspection: true, exposeSubgraphErrors: true },
    telemetry: { logLevel: 'silent' },
  };
  const gateway = await startGateway(options, requiredScopes(graph));
  cleanups.push(() => gateway.close());
  const { url, adminUrl } = gateway;
  const unready = await readUnreadyReason(adminUrl);
  if (unready !== undefined) return [bootFailedFinding(unready)];
  const findings: Finding[] = [];
  for (const canary of chooseCanaries(graph, operations)) {
    const problem = await runCanary(url, graph, canary);
    if (problem !== undefined) findings.push(canaryFailedFinding(canary, problem));
  }
  return findings;
}

/** All scopes that some element requires: a canary is no test of what its client may read. */
function requiredScopes(graph: ContractGraph): readonly string[] {
  const { requirements } = readRequirements(supergraphMetadataOf(graph).document);
  return [...requirements.values()].flat().flatMap(({ kind, alternatives }) => {
    return kind === 'scopes' ? alternatives.flat() : [];
  });
}

async function readUnreadyReason(adminUrl: string): Promise<string | undefined> {
  const { status, body } = await send(new URL('/health/ready', adminUrl), { method: 'GET', headers: {} });
  if (status === 200) return undefined;
  const { reasons } = body as { readonly reasons: readonly { readonly message: string }[] };
  return reasons.map(({ message }) => message).join('; ');
}

/** Without `fetch`, which may send even requests to this machine to a proxy (`NODE_USE_ENV_PROXY`). */
async function send(url: URL, request: HttpRequest) {
  const limits = { timeoutMs: 2 * canaryTimeoutMs, maxBytes: Number.POSITIVE_INFINITY };
  const { status, body } = await sendHttpRequest(url, request, new AbortController().signal, limits);
  return { status, body: JSON.parse(body.toString()) as unknown };
}

/** Returns what is wrong with the answer to one operation, if anything. */
async function runCanary(
  url: string,
  { supergraph }: ContractGraph,
  { document }: ConsumerOperation,
): Promise<string | undefined> {
  const { status, body } = await send(new URL(url), {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json' },
    body: JSON.stringify({
      query: print(document),
      variables: createMockVariables(operationOf(document), supergraph.apiSchema),
    }),
  });
  const { errors = [] } = body as CanaryResponse;
  const [first] = errors;
  if (first === undefined) return status === 200 ? undefined : `status ${status}`;
  const path = first.path === undefined ? '' : ` at ${first.path.join('.')}`;
  return `${first.message}${path}${errors.length > 1 ? `, and ${errors.length - 1} more` : ''}`;
}

interface CanaryResponse {
  readonly errors?: readonly {
    readonly message: string;
    readonly path?: readonly (string | number)[];
  }[];
}

function bootFailedFinding(reason: string): Finding {
  return createFinding('boot-failed', {
    message: `The gateway does not start on this supergraph: ${reason}`,
  });
}

function canaryFailedFinding({ consumer, name, location }: ConsumerOperation, reason: string): Finding {
  return createFinding('canary-failed', {
    message: `The gateway starts on this supergraph, but its answer to ${consumer}/${name} from mocked subgraphs has errors: ${reason}`,
    coordinate: `${consumer}/${name}`,
    location,
    affects: [{ consumer, operation: name, location, reason }],
  });
}
