import { readFileSync } from 'node:fs';
import { ApolloGateway, RemoteGraphQLDataSource } from '@apollo/gateway';
import { ApolloServer } from '@apollo/server';
import { type DemoSubgraphs, startDemoSubgraphs } from '../../subgraphs/demo.ts';
import { demoSupergraphFile } from '../harness/gateway.ts';
import { type Trial, viewerId } from './askGateway.ts';
import { now } from './askMonolith.ts';

/** `@apollo/gateway` before demo subgraphs of its own: what requests are counted against. */
export interface ApolloFederation extends AsyncDisposable {
  readonly subgraphs: DemoSubgraphs;
  ask(trial: Trial): Promise<unknown>;
}

export async function startApolloFederation(): Promise<ApolloFederation> {
  const subgraphs = await startDemoSubgraphs({ ports: 0, now });
  const gateway = new ApolloGateway({
    supergraphSdl: readFileSync(demoSupergraphFile, 'utf8'),
    buildService: ({ name }) =>
      new RemoteGraphQLDataSource({
        url: subgraphs.all.find((subgraph) => subgraph.name === name)?.url ?? '',
        willSendRequest({ request }) {
          request.http?.headers.set('authorization', `Demo ${viewerId}`);
        },
      }),
  });
  const server = new ApolloServer({ gateway, introspection: true });
  await server.start();
  return {
    subgraphs,
    ask: ({ source, variables }) => server.executeOperation({ query: source, variables }),
    async [Symbol.asyncDispose]() {
      await server.stop();
      await subgraphs.close();
    },
  };
}
