import { buildSchema, parse } from 'graphql';
import { parseConfig } from '../../gateway/config/parseConfig.ts';
import type { OperationRequest } from '../../gateway/operation/operationRequest.ts';
import { readSupergraphNames } from '../../gateway/planning/supergraphNames.ts';
import { type ExecutionOutcome, ResponseData } from '../../gateway/response/executionOutcome.ts';
import type { SupergraphLease } from '../../gateway/supergraph/leasedSnapshots.ts';
import type { Supergraph } from '../../gateway/supergraph/supergraph.ts';
import type { SupergraphView } from '../../gateway/supergraph/supergraphHolder.ts';
import type { CertificateFiles } from '../../gateway/tls/certificateFiles.ts';
import { Certificates } from '../../gateway/tls/certificates.ts';
import { createHttpServer, type HttpServerOptions } from '../../gateway/transport/http/httpServer.ts';

export const testSdl = `
  directive @defer(if: Boolean! = true, label: String) on FRAGMENT_SPREAD | INLINE_FRAGMENT
  type Query { greeting(name: String): String node: Node }
  type Node { id: ID name: String node: Node }
  type Mutation { greet(name: String!): String }
  type Subscription { greetings: String }
`;

export function supergraphOf(text: string, id = 'first'): Supergraph {
  return {
    id,
    sdl: text,
    apiSchema: buildSchema(text),
    overrides: new Map(),
    subgraphs: new Map([['greetings', { name: 'greetings', url: 'http://greetings.test/graphql' }]]),
    planner: {
      plan: () => Promise.reject(new Error('The scripted server does not plan.')),
      close: () => Promise.resolve(),
    },
    names: readSupergraphNames(parse(text)),
  };
}

/** A supergraph view with a supergraph that the test sets. Counts leases. */
export class FakeSupergraphView implements SupergraphView {
  #current: Supergraph | undefined;
  #problem: string | undefined;
  readonly #listeners = new Set<(supergraph: Supergraph) => void>();

  constructor(current?: Supergraph) {
    this.#current = current;
  }

  current(): Supergraph | undefined {
    return this.#current;
  }

  /** The number of open leases by the supergraph's id. */
  readonly leases = new Map<string, number>();

  acquire(): SupergraphLease | undefined {
    const supergraph = this.#current;
    if (supergraph === undefined) return undefined;
    const count = (step: number): void => {
      this.leases.set(supergraph.id, (this.leases.get(supergraph.id) ?? 0) + step);
    };
    count(1);
    return { supergraph, release: () => count(-1) };
  }

  problem(): string | undefined {
    return this.#problem;
  }

  refusal(): string | undefined {
    return this.#problem;
  }

  sourceProblem(): string | undefined {
    return undefined;
  }

  onChange(listener: (supergraph: Supergraph) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  set(supergraph: Supergraph): void {
    this.#current = supergraph;
    this.#problem = undefined;
    for (const listener of this.#listeners) listener(supergraph);
  }

  refuse(problem: string): void {
    this.#problem = problem;
  }
}

export interface ScriptedServer extends AsyncDisposable {
  readonly url: string;
  readonly adminUrl: string;
  readonly supergraphs: FakeSupergraphView;
  /** Requests that reached the pipeline, in order. */
  readonly receivedOperations: OperationRequest[];
  /** Messages of logged errors and warnings. */
  readonly logLines: string[];
  announceShutdown(): void;
  close(): Promise<void>;
}

type OperationScript = (
  request: OperationRequest,
  supergraph: Supergraph,
) => ExecutionOutcome | Promise<ExecutionOutcome>;

type Overrides = Partial<Omit<HttpServerOptions, 'limits' | 'security' | 'listen'>> & {
  readonly limits?: Partial<HttpServerOptions['limits']>;
  readonly security?: Partial<HttpServerOptions['security']>;
  readonly listen?: Partial<HttpServerOptions['listen']> & { readonly tls?: CertificateFiles };
  readonly drainTimeout?: number;
  readonly timeouts?: Partial<HttpServerOptions['listen']['timeouts']>;
};

export const silentLog: HttpServerOptions['log'] = { error() {}, warn() {}, info() {}, debug() {} };

/** Starts the real HTTP server on free ports with a scripted pipeline. */
export async function startScriptedServer(
  script: OperationScript = () => singleOutcome('{"greeting":"hello"}'),
  overrides: Overrides = {},
): Promise<ScriptedServer> {
  const supergraphs =
    (overrides.supergraphs as FakeSupergraphView | undefined) ??
    new FakeSupergraphView(supergraphOf(testSdl));
  const received: OperationRequest[] = [];
  const logged: string[] = [];
  const { limits, security, listen, drainTimeout, timeouts, ...rest } = overrides;
  const log: HttpServerOptions['log'] = rest.log ?? {
    ...silentLog,
    error: (_, message) => void logged.push(message),
    warn: (_, message) => void logged.push(message),
  };
  const supergraph = { file: 'supergraph.graphql' };
  const config = parseConfig({ supergraph, listen: { tls: listen?.tls ?? {} } });
  const certificates = await Certificates.read(config, { log });
  const server = createHttpServer({
    certificates,
    listen: {
      host: '127.0.0.1',
      port: 0,
      path: '/graphql',
      drainTimeout: drainTimeout ?? 10_000,
      timeouts: { headers: 60_000, request: 300_000, keepAlive: 75_000, ...timeouts },
      ...listen,
    },
    admin: { host: '127.0.0.1', port: 0 },
    executeOperation: async (request, supergraph) => {
      received.push(request);
      return await script(request, supergraph);
    },
    explain: (operation) => Promise.resolve(`QueryPlan for ${operation}`),
    bufferSize: 1_000_000,
    maxUnreadBytes: 128_000_000,
    readTimeoutMs: 1000,
    heartbeatIntervalMs: 60_000,
    documentCacheSize: 1_000,
    textCacheSize: 1_000_000,
    ...rest,
    log,
    supergraphs,
    limits: {
      bodySize: 1_000_000,
      tokens: 10_000,
      depth: 100,
      literalDepth: 16,
      aliases: 200,
      rootFields: 50,
      directives: 100,
      deferredFragments: 50,
      recursiveSelections: 2_000,
      expandedSize: 2_000_000,
      fieldComparisons: 10_000_000,
      batchedOperations: 0,
      webSockets: 100,
      webSocketsPerClient: 100,
      operationsPerSocket: 100,
      eventStreams: 100,
      eventStreamsPerClient: 100,
      ...limits,
    },
    security: {
      introspection: false,
      suggestions: false,
      csrf: true,
      connectionParams: ['authorization', 'x-shop'],
      subgraphParams: ['shop', 'Tenant'],
      ...security,
    },
  });
  const { url, adminUrl } = await server.listen();
  const close = async (): Promise<void> => {
    await server.close();
    await certificates.close();
  };
  return {
    url: url as string,
    adminUrl: adminUrl as string,
    supergraphs,
    receivedOperations: received,
    logLines: logged,
    announceShutdown: () => server.announceShutdown(),
    close,
    [Symbol.asyncDispose]: close,
  };
}

export function singleOutcome(
  data: string,
  more: Partial<Extract<ExecutionOutcome, { kind: 'single' }>> = {},
): ExecutionOutcome {
  return {
    kind: 'single',
    data: new ResponseData(data),
    errors: undefined,
    extensions: undefined,
    caching: undefined,
    ...more,
  };
}

/** The outcome of a subscription whose events the test pushes. */
export class ScriptedEvents {
  readonly #payloads = new ScriptedPayloads();

  /** Resolves when the transport ends the subscription. */
  get returned(): Promise<void> {
    return this.#payloads.returned;
  }

  /** How many events the transport requested. */
  get pullCount(): number {
    return this.#payloads.pullCount;
  }

  get outcome(): ExecutionOutcome {
    const iterator = this.#payloads[Symbol.asyncIterator]();
    return {
      kind: 'subscription',
      events: {
        [Symbol.asyncIterator]: () => ({
          next: async () => {
            const { done, value } = await iterator.next();
            if (done === true) return { done, value };
            const [text = '', cursor] = value;
            return {
              done: false,
              value: { text, cursor: cursor === undefined ? undefined : JSON.parse(cursor) },
            };
          },
          return: async () => {
            await iterator.return?.();
            return { done: true, value: undefined };
          },
        }),
      },
    };
  }

  push(event: object | Error | 'end', cursor?: string): void {
    if (event instanceof Error || event === 'end') this.#payloads.push(event);
    else this.#payloads.push(cursor === undefined ? [event] : [event, cursor]);
  }
}

/** An incremental outcome whose batches the test pushes. */
export class ScriptedPayloads implements AsyncIterable<readonly string[]> {
  /** Resolves when the transport ends the payloads early. */
  readonly returned: Promise<void>;
  /** How many batches the transport requested. */
  pullCount = 0;
  readonly #batches: (readonly string[] | Error | 'end')[] = [];
  #wake: (() => void) | undefined;
  readonly #whenReturned = Promise.withResolvers<void>();

  constructor() {
    this.returned = this.#whenReturned.promise;
  }

  get outcome(): ExecutionOutcome {
    return {
      kind: 'incremental',
      payloads: this,
      firstErrors: undefined,
      hasErrors: () => false,
      isComplete: () => false,
    };
  }

  push(batch: readonly unknown[] | Error | 'end'): void {
    this.#batches.push(
      Array.isArray(batch) ? batch.map((payload) => JSON.stringify(payload)) : (batch as Error | 'end'),
    );
    this.#wake?.();
  }

  [Symbol.asyncIterator](): AsyncIterator<readonly string[]> {
    return {
      next: async () => {
        this.pullCount++;
        while (this.#batches.length === 0) await new Promise<void>((resolve) => (this.#wake = resolve));
        const batch = this.#batches.shift();
        if (batch instanceof Error) throw batch;
        return batch === 'end' || batch === undefined
          ? { done: true, value: undefined }
          : { done: false, value: batch };
      },
      return: () => {
        this.#whenReturned.resolve();
        return Promise.resolve({ done: true, value: undefined });
      },
    };
  }
}
