import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type ExecutionResult, execute, GraphQLError, type GraphQLSchema } from 'graphql';
import { createDocumentCache } from './documentCache.ts';
import type { FaultClock } from './faultClock.ts';
import { createFaultInjector, type FaultInjector } from './faults.ts';
import { FaultSpecError, type Faults, parseFaults, readFaults } from './parseFaults.ts';
import { RequestError, readJsonBody } from './readJsonBody.ts';
import { createRequestRecorder, type RequestLog, type RequestRecorder } from './requestLog.ts';
import { serveSubscriptions } from './serveSubscriptions.ts';
import { buildSchemaOf, type SubgraphContext, type SubgraphDefinition } from './subgraphDefinition.ts';

/** Longer than Node's default. A gateway keeps idle connections for longer, and not every gateway retries when a
 *  connection closes. */
const keepAliveTimeoutMs = 75_000;

export interface StartSubgraphOptions<Store> {
  /** 0 selects any free port. Default: the port of the definition. */
  readonly port?: number;
  /** Default: 127.0.0.1. */
  readonly host?: string;
  /** The initial faults, as text for `parseFaults` or parsed. Default: none. */
  readonly faults?: string | Faults;
  /** The data to serve. Default: a new store. */
  readonly store?: Store;
  readonly clock?: FaultClock;
  /** How many of the newest requests are stored in full. Default: 1,000. Counts include all requests. */
  readonly keepRequests?: number;
}

export interface RunningSubgraph<Store = unknown> {
  readonly name: string;
  /** The GraphQL endpoint. */
  readonly url: string;
  /** The endpoint of subscriptions over `graphql-transport-ws`. */
  readonly subscriptionUrl: string;
  readonly port: number;
  readonly store: Store;
  readonly faults: FaultInjector;
  readonly requests: RequestLog;
  /** Ends all active requests, including hanging ones, and frees the port. Further calls do nothing. */
  close(): Promise<void>;
}

interface GraphQLParams {
  readonly query: string;
  readonly operationName: string | null;
  readonly variables: Readonly<Record<string, unknown>>;
}

interface ServedSchema {
  readonly schema: GraphQLSchema;
  readonly checkDocument: ReturnType<typeof createDocumentCache>;
}

/** Schemas of closed subgraphs. */
const idleSchemas = new WeakMap<object, ServedSchema[]>();

const maxBodyBytes = 50_000_000;
const maxDocuments = 1000;
const graphqlResponse = 'application/graphql-response+json';

/** Serves one subgraph: `POST /graphql`, `/ws` for subscriptions, and the demo's controls `GET|POST|DELETE /faults` and
 *  `GET|DELETE /requests`. @throws {FaultSpecError} if `faults` are invalid. */
export async function startSubgraph<Store>(
  definition: SubgraphDefinition<Store>,
  options: StartSubgraphOptions<Store> = {},
): Promise<RunningSubgraph<Store>> {
  const { port = definition.defaultPort, host = '127.0.0.1' } = options;
  const served = takeSchema(definition);
  const subgraph = new RequestHandler(definition, served, options);
  const { faults, recorder, store } = subgraph;

  const server = createServer({ keepAliveTimeout: keepAliveTimeoutMs }, (request, response) =>
    subgraph.handle(request, response),
  );
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  // Created after the server listens: a WebSocket server handles the listening errors of its server and prints them.
  const subscriptions = serveSubscriptions({
    server,
    schema: served.schema,
    createContext: (authorization, signal) => subgraph.createContext(authorization, signal),
    record: recorder.record,
  });
  const listening = (server.address() as AddressInfo).port;
  const origin = `${host.includes(':') ? `[${host}]` : host}:${listening}`;

  let closed: Promise<void> | undefined;
  async function close(): Promise<void> {
    const ended = new Promise<void>((resolve) => {
      server.close(() => resolve());
    });
    subgraph.abortAll();
    await subscriptions.dispose();
    server.closeAllConnections();
    await ended;
    faults.replace({ targets: {} });
    idleSchemas.get(definition)?.push(served);
  }

  return {
    name: definition.name,
    url: `http://${origin}/graphql`,
    subscriptionUrl: `ws://${origin}/ws`,
    port: listening,
    store,
    faults,
    requests: recorder.log,
    close: () => {
      closed ??= close();
      return closed;
    },
  };
}

/** Handles the HTTP requests of one subgraph. */
class RequestHandler<Store> {
  readonly store: Store;
  readonly faults: FaultInjector;
  readonly recorder: RequestRecorder;
  readonly #name: string;
  readonly #served: ServedSchema;
  readonly #initialFaults: Faults;
  /** One controller for each active request. */
  readonly #active = new Set<AbortController>();

  /** @throws {FaultSpecError} */
  constructor(
    definition: SubgraphDefinition<Store>,
    served: ServedSchema,
    { store, faults = { targets: {} }, clock, keepRequests = 1000 }: StartSubgraphOptions<Store>,
  ) {
    this.store = store ?? definition.createStore();
    this.recorder = createRequestRecorder(keepRequests);
    this.faults = createFaultInjector(served.schema, clock);
    this.#name = definition.name;
    this.#served = served;
    this.#initialFaults = typeof faults === 'string' ? parseFaults(faults) : faults;
    this.faults.replace(this.#initialFaults);
  }

  handle(request: IncomingMessage, response: ServerResponse): void {
    this.#route(request, response).catch((error: unknown) => {
      if (response.headersSent || response.destroyed) return void response.destroy();
      const status =
        error instanceof RequestError ? error.status : error instanceof FaultSpecError ? 400 : 500;
      sendJson(response, status, {
        errors: [{ message: error instanceof Error ? error.message : 'Failed' }],
      });
    });
  }

  createContext(authorization: unknown, signal: AbortSignal): SubgraphContext<Store> {
    return { store: this.store, viewerId: readViewerId(authorization), signal };
  }

  /** Ends all active requests, including hanging ones. */
  abortAll(): void {
    for (const abort of this.#active) abort.abort();
  }

  async #route(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url?.split('?')[0];
    if (path === '/graphql') return this.#serveGraphQL(request, response);
    if (path === '/faults') return this.#serveFaults(request, response);
    if (path === '/requests') return this.#serveRequests(request, response);
    if (path === '/health') return sendJson(response, 200, { name: this.#name });
    sendJson(response, 404, { errors: [{ message: 'Only /graphql, /ws, /faults, /requests, /health' }] });
  }

  async #serveGraphQL(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.method !== 'POST') {
      response.setHeader('allow', 'POST');
      return sendJson(response, 405, { errors: [{ message: 'Only POST is supported' }] });
    }
    const mediaType = request.headers.accept?.includes(graphqlResponse)
      ? graphqlResponse
      : 'application/json';
    const params = readParams(await readJsonBody(request, maxBodyBytes));
    const { headers } = request;
    const settle = this.recorder.record({ transport: 'http', ...params, headers });
    const abort = new AbortController();
    this.#active.add(abort);
    // Runs for complete and for broken responses. After `finish`, the abort has nothing left to end.
    response.once('close', () => {
      this.#active.delete(abort);
      settle(response.writableFinished ? 'answered' : 'aborted');
      abort.abort();
    });
    try {
      await this.faults.applyToRequest(abort.signal);
      const result = await this.#execute(params, headers, abort.signal);
      const hasRun = 'data' in result;
      sendJson(response, hasRun || mediaType !== graphqlResponse ? 200 : 400, result, mediaType);
    } catch (error) {
      if (abort.signal.aborted) return void response.destroy();
      if (!(error instanceof GraphQLError)) throw error;
      sendJson(response, 503, { errors: [error] }, mediaType);
    }
  }

  async #execute(
    { query, operationName, variables }: GraphQLParams,
    headers: IncomingHttpHeaders,
    signal: AbortSignal,
  ): Promise<ExecutionResult> {
    const { schema, checkDocument } = this.#served;
    const { document, errors } = checkDocument(query);
    if (document === null || errors.length > 0) return { errors };
    return execute({
      schema,
      document,
      operationName,
      variableValues: variables,
      contextValue: this.createContext(headers.authorization, signal),
    });
  }

  async #serveFaults(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.method === 'POST') this.faults.replace(readFaults(await readJsonBody(request, maxBodyBytes)));
    if (request.method === 'DELETE') this.faults.replace(this.#initialFaults);
    sendJson(response, 200, this.faults.faults);
  }

  #serveRequests(request: IncomingMessage, response: ServerResponse): void {
    const { log } = this.recorder;
    if (request.method === 'DELETE') log.reset();
    sendJson(response, 200, { counts: log.counts, recent: log.recent });
  }
}

/** Takes the schema of a closed subgraph, or builds one, which takes longer than anything else of a start. Subgraphs that
 *  run at the same time need their own, because faults replace its resolvers. */
function takeSchema<Store>(definition: SubgraphDefinition<Store>): ServedSchema {
  const idle = idleSchemas.get(definition) ?? [];
  idleSchemas.set(definition, idle);
  const known = idle.pop();
  if (known !== undefined) return known;
  const schema = buildSchemaOf(definition);
  return { schema, checkDocument: createDocumentCache(schema, maxDocuments) };
}

/** Reads the account from `Demo <id>`. This identifies accounts in the demo; it is not authentication. */
function readViewerId(authorization: unknown): string | null {
  const match = typeof authorization === 'string' ? /^Demo (\S+)$/.exec(authorization) : null;
  return match?.[1] ?? null;
}

function readParams(body: unknown): GraphQLParams {
  const { query, operationName, variables } = (body ?? {}) as Record<string, unknown>;
  if (typeof query !== 'string') throw new RequestError(400, '`query` must be text');
  if (variables != null && (typeof variables !== 'object' || Array.isArray(variables))) {
    throw new RequestError(400, '`variables` must be an object');
  }
  return {
    query,
    operationName: typeof operationName === 'string' ? operationName : null,
    variables: (variables ?? {}) as Record<string, unknown>,
  };
}

function sendJson(
  response: ServerResponse,
  status: number,
  body: unknown,
  mediaType = 'application/json',
): void {
  const text = JSON.stringify(body);
  response.writeHead(status, {
    'content-type': `${mediaType}; charset=utf-8`,
    'content-length': Buffer.byteLength(text),
  });
  response.end(text);
}
