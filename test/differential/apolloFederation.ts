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
import { demoSupergraphFile } from '../harness/gateway.ts';
import { type Answer, type Json, readJson } from './answer.ts';
import { type Trial, viewerId } from './askGateway.ts';
import { now } from './askMonolith.ts';

/** `@apollo/gateway` before subgraphs that run: what answers and requests are compared with. */
export interface ApolloPeer extends AsyncDisposable {
  ask(trial: Trial): Promise<ApolloAnswer>;
}

export interface ApolloAnswer extends Answer {
  /** How many requests fewer it would be with all entity fetches in one that go to one subgraph and are ready at
   *  the same moment. */
  readonly avoidable: number;
}

export interface ApolloPeerOptions {
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
    logger: silent,
    buildService: ({ name, url }) => new CountingDataSource(name, urlOf?.(name) ?? url ?? ''),
  });
  const server = new ApolloServer<Asked>({
    gateway,
    introspection: true,
    logger: silent,
    includeStacktraceInErrorResponses: false,
  });
  await server.start();
  return {
    async ask({ source, variables, headers = {} }) {
      const asked: Asked = {
        headers: { authorization: `Demo ${viewerId}`, ...headers },
        moments: new Moments(),
      };
      const { body } = await server.executeOperation({ query: source, variables }, { contextValue: asked });
      // It has perhaps planned for seconds: connections that have ended meanwhile are to be noticed before the next.
      await setImmediate();
      if (body.kind !== 'single') throw new Error('It answers in parts.');
      const { data, errors = [] } = readJson(JSON.stringify(body.singleResult)) as {
        readonly data?: Json;
        readonly errors?: readonly GraphQLFormattedError[];
      };
      return { data, errors: errors.map(withoutOwnCode), avoidable: asked.moments.avoidable };
    },
    [Symbol.asyncDispose]: () => server.stop(),
  };
}

/** Of one operation. */
interface Asked {
  readonly headers: Readonly<Record<string, string>>;
  readonly moments: Moments;
}

class CountingDataSource extends RemoteGraphQLDataSource<Asked> {
  readonly #name: string;

  constructor(name: string, url: string) {
    super({ url });
    this.#name = name;
  }

  override process(options: GraphQLDataSourceProcessOptions<Asked>) {
    if ('representations' in (options.request.variables ?? {})) options.context.moments.add(this.#name);
    return super.process(options);
  }

  override willSendRequest({ request, context }: GraphQLDataSourceProcessOptions<Asked>): void {
    for (const [name, value] of Object.entries((context as Asked).headers)) {
      request.http?.headers.set(name, value);
    }
    // It plans on this thread: a subgraph may take a connection for unused meanwhile, and end it.
    request.http?.headers.set('connection', 'close');
  }
}

/** Tells which entity fetches began without anything having come in between them. */
class Moments {
  avoidable = 0;
  #now: Set<string> | undefined;

  add(subgraph: string): void {
    if (this.#now === undefined) {
      this.#now = new Set();
      // Runs when all promises are through that the last thing that came in has settled.
      process.nextTick(() => {
        this.#now = undefined;
      });
    }
    if (this.#now.has(subgraph)) this.avoidable++;
    this.#now.add(subgraph);
  }
}

function withoutOwnCode({ extensions, ...error }: GraphQLFormattedError): GraphQLFormattedError {
  return extensions === undefined || extensions.code === 'DOWNSTREAM_SERVICE_ERROR'
    ? error
    : { ...error, extensions };
}

const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/** `@apollo/gateway` before demo subgraphs of its own. */
export interface ApolloFederation extends ApolloPeer {
  readonly subgraphs: DemoSubgraphs;
}

export async function startApolloFederation(): Promise<ApolloFederation> {
  const subgraphs = await startDemoSubgraphs({ ports: 0, now });
  const peer = await startApolloPeer({
    supergraphSdl: readFileSync(demoSupergraphFile, 'utf8'),
    urlOf: (name) => subgraphs.all.find((subgraph) => subgraph.name === name)?.url ?? '',
  });
  return {
    subgraphs,
    ask: peer.ask,
    async [Symbol.asyncDispose]() {
      await peer[Symbol.asyncDispose]();
      await subgraphs.close();
    },
  };
}
