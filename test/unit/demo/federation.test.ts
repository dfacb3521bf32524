import { readFileSync } from 'node:fs';
import { ApolloGateway, RemoteGraphQLDataSource } from '@apollo/gateway';
import { ApolloServer } from '@apollo/server';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { graphql, OperationTypeNode } from 'graphql';
import { startDemoSubgraphs } from '../../../subgraphs/demo.ts';
import { demoSupergraphFile } from '../../../subgraphs/shared/composeDemo.ts';
import { buildMonolith, createContext, createStore } from '../../harness/monolithSchema.ts';
import { readDemoOperations } from '../../harness/readDemoOperations.ts';

/** The demo subgraphs behind `@apollo/gateway` must return the same data as the monolith. */
const now = () => new Date('2026-03-01T12:00:00Z');
const viewerId = 'a11';
const monolith = buildMonolith();
const supergraphSdl = readFileSync(demoSupergraphFile, 'utf8');

interface Federation {
  ask(query: string, variables: Readonly<Record<string, unknown>>): Promise<unknown>;
  stop(): Promise<void>;
}

async function startFederation(): Promise<Federation> {
  const demo = await startDemoSubgraphs({ ports: 0, now });
  const gateway = new ApolloGateway({
    supergraphSdl,
    buildService: ({ name }) =>
      new RemoteGraphQLDataSource({
        url: demo.all.find((subgraph) => subgraph.name === name)?.url ?? '',
        willSendRequest({ request }) {
          request.http?.headers.set('authorization', `Demo ${viewerId}`);
        },
      }),
  });
  const server = new ApolloServer({ gateway, introspection: true });
  await server.start();
  return {
    async ask(query, variables) {
      const { body } = await server.executeOperation({ query, variables });
      if (body.kind !== 'single') throw new Error('Expected a single response.');
      return body.singleResult.data;
    },
    async stop() {
      await server.stop();
      await demo.close();
    },
  };
}

async function askMonolith(
  source: string,
  variableValues: Readonly<Record<string, unknown>>,
): Promise<unknown> {
  const contextValue = createContext(createStore({ now }), viewerId);
  const { data } = await graphql({ schema: monolith, source, variableValues, contextValue });
  return data;
}

/** Converts a result to what a client receives: plain objects without undefined values. */
function overTheWire(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

const operations = readDemoOperations().filter(({ kind }) => kind !== OperationTypeNode.SUBSCRIPTION);

describe('the demo subgraphs behind @apollo/gateway', () => {
  let federation: Federation;
  beforeAll(async () => {
    federation = await startFederation();
  });
  afterAll(() => federation.stop());

  test.each(operations.filter(({ kind }) => kind === OperationTypeNode.QUERY))(
    'respond to $name like the monolith',
    async ({ source, variables }) => {
      const answer = await federation.ask(source, variables);
      expect(overTheWire(answer)).toEqual(overTheWire(await askMonolith(source, variables)));
    },
  );

  test.each(operations.filter(({ kind }) => kind === OperationTypeNode.MUTATION))(
    'respond to $name on new data like the monolith',
    async ({ source, variables }) => {
      const fresh = await startFederation();
      try {
        const answer = await fresh.ask(source, variables);
        expect(overTheWire(answer)).toEqual(overTheWire(await askMonolith(source, variables)));
      } finally {
        await fresh.stop();
      }
    },
  );
});
