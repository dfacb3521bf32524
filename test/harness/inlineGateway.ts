import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildSubgraphSchema } from '@apollo/subgraph';
import {
  type DocumentNode,
  defaultFieldResolver,
  execute,
  type GraphQLSchema,
  isObjectType,
  parse,
  validate,
} from 'graphql';
import { createGateway, type GatewayDependencies, type GatewayOptions } from '../../gateway/gateway.ts';
import type { IncrementalFormat } from '../../gateway/operation/operationRequest.ts';
import { Changes } from './changes.ts';
import { closeServer } from './closeServer.ts';
import { Gate } from './gate.ts';
import { planInProcess } from './inProcessPlanner.ts';
import { MultipartReader, RawConnection } from './rawHttp.ts';
import { composeOnce } from './shared/compositions.ts';
import { longCallTimeouts, longPlanningTimeout, noShedding } from './testGateway.ts';
import { waitForTurns } from './waitForTurns.ts';

/** The link to federation that a subgraph gets where it has none of its own. */
export const inlineFederationLink =
  'extend schema @link(url: "https://specs.apollo.dev/federation/v2.8", import: ["@key", "@requires", "@provides", "@external", "@shareable", "@inaccessible", "@override", "@interfaceObject", "@context", "@fromContext"])\n';

export interface InlineContext {
  readonly headers: IncomingHttpHeaders;
}

type Resolver = (parent: never, args: never, context: InlineContext) => unknown;

export interface InlineSubgraph {
  readonly name: string;
  /** SDL without the federation `@link`. */
  readonly sdl: string;
  /** Replaces the link to federation with all supported features at the start of the SDL; empty for a schema of
   *  Federation 1. */
  readonly link?: string;
  readonly resolvers?: Readonly<Record<string, Readonly<Record<string, Resolver>>>>;
}

/** A request that a subgraph received. */
export interface SubgraphCall {
  readonly query: string;
  readonly variables: Readonly<Record<string, unknown>>;
  readonly headers: IncomingHttpHeaders;
  /** Resolves when the exchange ends: true if the gateway received the complete response. */
  readonly ended: Promise<boolean>;
}

/** A response that replaces that of the resolvers. */
export type CannedAnswer =
  | {
      readonly kind: 'json';
      readonly body: unknown;
      readonly status?: number;
      readonly headers?: Readonly<Record<string, string | string[]>>;
    }
  | { readonly kind: 'text'; readonly body: string; readonly status?: number; readonly headers?: undefined }
  | { readonly kind: 'hang' }
  | { readonly kind: 'reset' };

export interface RunningInlineSubgraph {
  readonly url: string;
  readonly calls: readonly SubgraphCall[];
  /** Makes every resolution of `Type.field` wait at the gate. */
  hold(coordinate: string): Gate;
  /** Overrides responses; `undefined` leaves a response to the resolvers. */
  answerWith(answer: ((call: SubgraphCall) => CannedAnswer | undefined) | undefined): void;
  /** Resolves when this many calls have arrived in total. */
  waitForCalls(count: number): Promise<void>;
  /** The number of open connections. */
  readonly openConnections: number;
  /** Removes all gates, overrides and recorded calls. */
  reset(): void;
  /** Stops accepting connections. */
  close(): Promise<void>;
}

export interface Answer {
  readonly status: number;
  readonly body: { readonly data?: unknown; readonly errors?: readonly unknown[] };
}

export interface ExecuteOptions {
  readonly variables?: Readonly<Record<string, unknown>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

export interface InlineGateway extends AsyncDisposable {
  readonly url: string;
  readonly adminUrl: string;
  /** The file of the composed supergraph. */
  readonly supergraphFile: string;
  close(): Promise<void>;
  subgraph(name: string): RunningInlineSubgraph;
  /** Resets all subgraphs. */
  reset(): void;
  /** See `Gateway.publish`. */
  publish(topic: string, event: unknown): void;
  /** Executes an operation and returns one complete response. */
  execute(query: string, options?: ExecuteOptions): Promise<Answer>;
  /** Executes an operation and returns its payloads as they arrive. */
  executeIncrementally(
    query: string,
    options?: ExecuteOptions & { readonly format?: IncrementalFormat },
  ): Promise<DeferredAnswer>;
}

interface StartInlineGatewayOptions {
  readonly subgraphs: readonly InlineSubgraph[];
  /** Overrides the harness's configuration: free ports, no log, the composed supergraph, long subgraph
   *  timeouts, and WebSockets for subscriptions. */
  readonly config?: Partial<GatewayOptions>;
  /** Overrides the planner without a thread. A suite about the thread passes `startPlannerThread`. */
  readonly dependencies?: GatewayDependencies;
  /** Changes the composed supergraph to one that the composer would not produce. */
  readonly transformSupergraph?: (sdl: string) => string;
  /** Whether the gateway reloads a changed supergraph file. */
  readonly isWatching?: boolean;
  /** Where the gateway calls a subgraph; at its own URL when omitted. */
  readonly addressOf?: (name: string, url: string) => Promise<string>;
  /** How many turns of the event loop a response is delayed; none when omitted. */
  readonly turnsOf?: (call: SubgraphCall) => number;
}

/** Starts subgraphs that the test defines, each a real HTTP server, and a gateway in this process. */
export async function startInlineGateway(options: StartInlineGatewayOptions): Promise<InlineGateway> {
  const { config = {}, dependencies, transformSupergraph = (sdl) => sdl, isWatching = false } = options;
  const { addressOf = async (_, url) => url, turnsOf } = options;
  const cleanups: (() => Promise<unknown>)[] = [];
  const close = async (): Promise<void> => {
    for (const cleanup of cleanups.reverse()) await cleanup();
    cleanups.length = 0;
  };
  try {
    const running = new Map<string, InlineServer>();
    for (const subgraph of options.subgraphs) {
      const server = new InlineServer(subgraph, turnsOf);
      await server.listen();
      cleanups.push(() => server.close());
      running.set(subgraph.name, server);
    }
    const composed = await composeOnce(
      await Promise.all(
        options.subgraphs.map(async ({ name, sdl, link = inlineFederationLink }) => ({
          name,
          sdl: link + sdl,
          url: await addressOf(name, (running.get(name) as InlineServer).url),
        })),
      ),
    );
    if ('errors' in composed) throw new Error(composed.errors.map(({ message }) => message).join('\n'));
    const directory = await mkdtemp(join(tmpdir(), 'tributary-inline-'));
    cleanups.push(() => rm(directory, { recursive: true }));
    const file = join(directory, 'supergraph.graphql');
    await writeFile(file, transformSupergraph(composed.sdl));

    const gateway = await createGateway(
      {
        listen: { port: 0, drainTimeout: 100 },
        admin: { port: 0 },
        supergraph: { file, watch: isWatching },
        telemetry: { logLevel: 'silent' },
        planning: longPlanningTimeout,
        overload: noShedding,
        // The contracts of this repository belong to the demo.
        contracts: { guard: 'off' },
        ...config,
        subgraphs: {
          ...config.subgraphs,
          // Prevents probing of subgraphs for their subscription protocol, because tests count their calls.
          all: {
            timeouts: longCallTimeouts,
            subscription: { protocol: 'graphql_ws' },
            ...config.subgraphs?.all,
          },
        },
      },
      { startPlannerThread: planInProcess, ...dependencies },
    );
    cleanups.push(() => gateway.close());
    const { url, adminUrl } = await gateway.start();
    return {
      url,
      adminUrl,
      supergraphFile: file,
      subgraph: (name) => running.get(name) as InlineServer,
      reset: () => {
        for (const server of running.values()) server.reset();
      },
      publish: (topic, event) => gateway.publish(topic, event),
      execute: (query, options) => executeOperation(url, query, options),
      executeIncrementally: (query, options) => DeferredAnswer.open(url, query, options),
      close,
      [Symbol.asyncDispose]: close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function executeOperation(url: string, query: string, options: ExecuteOptions = {}): Promise<Answer> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json', ...options.headers },
    body: JSON.stringify({ query, variables: options.variables }),
    signal: options.signal ?? null,
  });
  return { status: response.status, body: (await response.json()) as Answer['body'] };
}

/** An incremental response over a connection of its own. */
class DeferredAnswer implements AsyncDisposable {
  readonly #connection: RawConnection;
  readonly #reader = new MultipartReader();

  private constructor(connection: RawConnection) {
    this.#connection = connection;
  }

  static async open(
    url: string,
    query: string,
    {
      format = 'deferSpec=20220824',
      variables,
      headers,
    }: ExecuteOptions & { format?: IncrementalFormat } = {},
  ): Promise<DeferredAnswer> {
    const connection = await RawConnection.open(url);
    connection.send({
      headers: { 'content-type': 'application/json', accept: `multipart/mixed;${format}`, ...headers },
      body: JSON.stringify({ query, variables }),
    });
    return new DeferredAnswer(connection);
  }

  /** The payloads of the next write. @throws {Error} after the end of the stream. */
  async next(): Promise<readonly unknown[]> {
    if (!this.#hasHead) await this.#connection.readHead();
    this.#hasHead = true;
    const chunk = await this.#connection.readChunk();
    if (chunk === undefined) throw new Error('There are no more payloads.');
    return this.#reader.read(chunk);
  }

  /** All further payloads, up to the correct end of the stream. */
  async remaining(): Promise<readonly unknown[]> {
    if (!this.#hasHead) await this.#connection.readHead();
    this.#hasHead = true;
    const payloads: unknown[] = [];
    for (;;) {
      const chunk = await this.#connection.readChunk();
      if (chunk === undefined) break;
      payloads.push(...this.#reader.read(chunk));
    }
    this.#reader.assertClosed();
    return payloads;
  }

  #hasHead = false;

  /** Disconnects the client. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connection[Symbol.asyncDispose]();
  }
}

class InlineServer implements RunningInlineSubgraph {
  readonly calls: SubgraphCall[] = [];
  readonly #server = createServer(
    // Planning in this process can block it for longer than Node's default of 5 s. Then the server closes connections on
    // which the gateway has just sent a request.
    { keepAliveTimeout: 75_000 },
    (request, response) => void this.#serve(request, response),
  );
  readonly #schema: GraphQLSchema;
  /** Valid documents by their text: gateways send the same ones again. */
  readonly #documents = new Map<string, DocumentNode>();
  readonly #sockets = new Set<unknown>();
  readonly #gates = new Map<string, Gate>();
  readonly #arrivals = new Changes();
  readonly #turnsOf: (call: SubgraphCall) => number;
  #override: ((call: SubgraphCall) => CannedAnswer | undefined) | undefined;

  constructor(
    { sdl, link = inlineFederationLink, resolvers = {} }: InlineSubgraph,
    turnsOf: (call: SubgraphCall) => number = () => 0,
  ) {
    this.#turnsOf = turnsOf;
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
    type Modules = Parameters<typeof buildSubgraphSchema>[0];
    this.#schema = buildSubgraphSchema({
      typeDefs: parse(link + sdl),
      resolvers,
    } as unknown as Modules);
    for (const type of Object.values(this.#schema.getTypeMap())) {
      if (!isObjectType(type) || type.name.startsWith('_')) continue;
      for (const field of Object.values(type.getFields())) {
        const resolve = field.resolve ?? defaultFieldResolver;
        const coordinate = `${type.name}.${field.name}`;
        field.resolve = (...parameters) => {
          const gate = this.#gates.get(coordinate);
          return gate === undefined ? resolve(...parameters) : gate.pass().then(() => resolve(...parameters));
        };
      }
    }
  }

  get openConnections(): number {
    return this.#sockets.size;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/graphql`;
  }

  listen(): Promise<void> {
    return new Promise((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
  }

  close(): Promise<void> {
    return closeServer(this.#server);
  }

  hold(coordinate: string): Gate {
    const gate = new Gate();
    this.#gates.set(coordinate, gate);
    return gate;
  }

  answerWith(answer: ((call: SubgraphCall) => CannedAnswer | undefined) | undefined): void {
    this.#override = answer;
  }

  waitForCalls(count: number): Promise<void> {
    return this.#arrivals.until(() => this.calls.length >= count);
  }

  reset(): void {
    for (const gate of this.#gates.values()) gate.open();
    this.#gates.clear();
    this.#override = undefined;
    this.calls.length = 0;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const ended = new Promise<boolean>((resolve) =>
      response.once('close', () => resolve(response.writableFinished)),
    );
    if (request.method !== 'POST') return void response.writeHead(405).end();
    let text = '';
    for await (const chunk of request) text += chunk;
    const { query, variables = {} } = JSON.parse(text) as {
      query: string;
      variables?: SubgraphCall['variables'];
    };
    const call: SubgraphCall = { query, variables, headers: request.headers, ended };
    this.calls.push(call);
    this.#arrivals.notify();

    const canned = this.#override?.(call);
    if (canned?.kind === 'hang') return;
    if (canned?.kind === 'reset') return void request.socket.resetAndDestroy();
    const body = canned === undefined ? await this.#execute(call) : canned.body;
    await waitForTurns(this.#turnsOf(call));
    const json = canned?.kind === 'text' ? canned.body : JSON.stringify(body);
    response.writeHead(canned?.status ?? 200, {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(json),
      ...canned?.headers,
    });
    response.end(json);
  }

  async #execute({ query, variables, headers }: SubgraphCall): Promise<unknown> {
    let document = this.#documents.get(query);
    if (document === undefined) {
      document = parse(query);
      const errors = validate(this.#schema, document);
      if (errors.length > 0) return { errors };
      this.#documents.set(query, document);
    }
    const contextValue: InlineContext = { headers };
    return execute({ schema: this.#schema, document, variableValues: variables, contextValue });
  }
}
