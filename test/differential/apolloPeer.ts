import { readFileSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import {
  ApolloGateway,
  type GraphQLDataSourceProcessOptions,
  RemoteGraphQLDataSource,
} from '@apollo/gateway';
import { ApolloServer } from '@apollo/server';
import type { GraphQLFormattedError } from 'graphql';
import { type DemoSubgraphs, startDemoSubgraphs } from '../../subgraphs/demo.ts';
import { demoSupergraphFile } from '../harness/testGateway.ts';
import type { Trial } from '../harness/trial.ts';
import { type Answer, type Json, readJson } from './answer.ts';
import { fixedNow } from './demoMonolith.ts';
import { viewerId } from './executeTrial.ts';

/** `@apollo/gateway` before subgraphs that run: what answers and requests are compared with. */
export interface ApolloPeer extends AsyncDisposable {
  execute(trial: Trial): Promise<ApolloAnswer>;
}

export interface ApolloAnswer extends Answer {
  /** How many requests fewer it would be with all entity fetches in one that go to one subgraph and are ready at
   *  the same moment. */
  readonly avoidableRequests: number;
}

interface ApolloPeerOptions {
  readonly supergraphSdl: string;
  /** By the subgraph's name; undefined where the supergraph's own is right. */
  readonly urlOf?: (name: string) => string;
}

/** Errors: when it does not take the supergraph. */
export async function startApolloPeer({ supergraphSdl, urlOf }: ApolloPeerOptions): Promise<ApolloPeer> {
  // Otherwise it reports that it was started.
  process.env.APOLLO_TELEMETRY_DISABLED = 'true';
  const gateway = new ApolloGateway({
    supergraphSdl,
    logger: silentLogger,
    buildService: ({ name, url }) => new CountingDataSource(name, urlOf?.(name) ?? url ?? ''),
  });
  const server = new ApolloServer<OperationContext>({
    gateway,
    introspection: true,
    logger: silentLogger,
    includeStacktraceInErrorResponses: false,
  });
  await server.start();
  return {
    async execute({ source, variables, headers = {} }) {
      const asked: OperationContext = {
        headers: { authorization: `Demo ${viewerId}`, ...headers },
        concurrency: new FetchConcurrency(),
      };
      const { body } = await server.executeOperation({ query: source, variables }, { contextValue: asked });
      // It has perhaps planned for seconds: connections that have ended meanwhile are to be noticed before the next.
      await setImmediate();
      if (body.kind !== 'single') throw new Error('It answers in parts.');
      const { data, errors = [] } = readJson(JSON.stringify(body.singleResult)) as {
        readonly data?: Json;
        readonly errors?: readonly GraphQLFormattedError[];
      };
      return {
        data,
        errors: errors.map(withoutApolloCode),
        avoidableRequests: asked.concurrency.avoidableRequests,
      };
    },
    [Symbol.asyncDispose]: () => server.stop(),
  };
}

/** Of one operation. */
interface OperationContext {
  readonly headers: Readonly<Record<string, string>>;
  readonly concurrency: FetchConcurrency;
}

class CountingDataSource extends RemoteGraphQLDataSource<OperationContext> {
  readonly #name: string;

  constructor(name: string, url: string) {
    super({ url });
    this.#name = name;
  }

  override process(options: GraphQLDataSourceProcessOptions<OperationContext>) {
    if ('representations' in (options.request.variables ?? {})) options.context.concurrency.add(this.#name);
    return super.process(options);
  }

  override willSendRequest({ request, context }: GraphQLDataSourceProcessOptions<OperationContext>): void {
    for (const [name, value] of Object.entries((context as OperationContext).headers)) {
      request.http?.headers.set(name, value);
    }
    // It plans on this thread: a subgraph may take a connection for unused meanwhile, and end it.
    request.http?.headers.set('connection', 'close');
  }
}

/** Tells which entity fetches began without anything having come in between them. */
class FetchConcurrency {
  avoidableRequests = 0;
  #concurrentSubgraphs: Set<string> | undefined;

  add(subgraph: string): void {
    if (this.#concurrentSubgraphs === undefined) {
      this.#concurrentSubgraphs = new Set();
      // Runs when all promises are through that the last thing that came in has settled.
      process.nextTick(() => {
        this.#concurrentSubgraphs = undefined;
      });
    }
    if (this.#concurrentSubgraphs.has(subgraph)) this.avoidableRequests++;
    this.#concurrentSubgraphs.add(subgraph);
  }
}

function withoutApolloCode({ extensions, ...error }: GraphQLFormattedError): GraphQLFormattedError {
  return extensions === undefined || extensions.code === 'DOWNSTREAM_SERVICE_ERROR'
    ? error
    : { ...error, extensions };
}

const silentLogger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/** `@apollo/gateway` before demo subgraphs of its own. */
export interface ApolloFederation extends ApolloPeer {
  readonly subgraphs: DemoSubgraphs;
}

export async function startApolloFederation(): Promise<ApolloFederation> {
  const subgraphs = await startDemoSubgraphs({ ports: 0, now: fixedNow });
  const peer = await startApolloPeer({
    supergraphSdl: readFileSync(demoSupergraphFile, 'utf8'),
    urlOf: (name) => subgraphs.all.find((subgraph) => subgraph.name === name)?.url ?? '',
  });
  return {
    subgraphs,
    execute: peer.execute,
    async [Symbol.asyncDispose]() {
      await peer[Symbol.asyncDispose]();
      await subgraphs.close();
    },
  };
}
