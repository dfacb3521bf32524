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

/** `@apollo/gateway` in front of running subgraphs, for comparing responses and requests. */
export interface ApolloPeer extends AsyncDisposable {
  execute(trial: Trial): Promise<ApolloAnswer>;
}

export interface ApolloAnswer extends Answer {
  /** How many fewer requests there would be if all entity fetches that are ready at the same time and go to the same
   *  subgraph were one request. */
  readonly avoidableRequests: number;
}

interface ApolloPeerOptions {
  readonly supergraphSdl: string;
  /** The URL by the subgraph's name; `undefined` where the supergraph's own URL is correct. */
  readonly urlOf?: (name: string) => string;
}

/** @throws {Error} if `@apollo/gateway` refuses the supergraph. */
export async function startApolloPeer({ supergraphSdl, urlOf }: ApolloPeerOptions): Promise<ApolloPeer> {
  // Otherwise it reports its start to Apollo.
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
      const context: OperationContext = {
        headers: { authorization: `Demo ${viewerId}`, ...headers },
        concurrency: new FetchConcurrency(),
      };
      const { body } = await server.executeOperation({ query: source, variables }, { contextValue: context });
      // Planning may have taken seconds. Connections that closed meanwhile must be noticed before the next request.
      await setImmediate();
      if (body.kind !== 'single') throw new Error('@apollo/gateway sent an incremental response.');
      const { data, errors = [] } = readJson(JSON.stringify(body.singleResult)) as {
        readonly data?: Json;
        readonly errors?: readonly GraphQLFormattedError[];
      };
      return {
        data,
        errors: errors.map(withoutApolloCode),
        avoidableRequests: context.concurrency.avoidableRequests,
      };
    },
    [Symbol.asyncDispose]: () => server.stop(),
  };
}

/** The context of one operation. */
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
    // It plans on this thread. Meanwhile a subgraph may close a connection as idle.
    request.http?.headers.set('connection', 'close');
  }
}

/** Determines which entity fetches began without an event in between. */
class FetchConcurrency {
  avoidableRequests = 0;
  #concurrentSubgraphs: Set<string> | undefined;

  add(subgraph: string): void {
    if (this.#concurrentSubgraphs === undefined) {
      this.#concurrentSubgraphs = new Set();
      // Runs after all promises of the last event have settled.
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

/** `@apollo/gateway` with demo subgraphs of its own. */
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
