import { expect, test } from '@jest/globals';
import Fastify from 'fastify';
import { addSubgraphsRoute } from '../../../gateway/subgraphs/subgraphsRoute.ts';
import type { OtherWorkers } from '../../../gateway/telemetry/workerMetrics.ts';

type SubgraphClient = Parameters<typeof addSubgraphsRoute>[1];

function clientOf(circuits: Readonly<Record<string, 'open' | 'closed'>>): SubgraphClient {
  const states = Object.entries(circuits).map(([subgraph, circuit]) => ({ subgraph, circuit }));
  return { states: () => states as never };
}

async function read(client: SubgraphClient, workers?: OtherWorkers): Promise<unknown> {
  const server = Fastify();
  addSubgraphsRoute(server, client, workers);
  return (await server.inject('/subgraphs')).json();
}

test('GET /subgraphs has the state of each subgraph that was called', async () => {
  expect(await read(clientOf({ reviews: 'open', accounts: 'closed' }))).toEqual({
    subgraphs: [
      { subgraph: 'accounts', circuit: 'closed' },
      { subgraph: 'reviews', circuit: 'open' },
    ],
  });
});

test('GET /subgraphs of any worker has the states of all workers, with the name of each', async () => {
  const handlers = new Map<string, (body: string) => Promise<string>>();
  const answer = async (name: string) => (await handlers.get(name)?.('')) ?? '';
  addSubgraphsRoute(Fastify(), clientOf({ reviews: 'open' }), {
    worker: { name: '10', directory: '' },
    handle: (name, handler) => void handlers.set(name, handler),
    callOthers: async () => ({ answers: new Map(), silent: 0 }),
  });

  const all = await read(clientOf({ reviews: 'closed', accounts: 'closed' }), {
    worker: { name: '9', directory: '' },
    handle: () => undefined,
    callOthers: async (name) => ({ answers: new Map([['10', await answer(name)]]), silent: 0 }),
  });

  expect(all).toEqual({
    subgraphs: [
      { worker: '9', subgraph: 'accounts', circuit: 'closed' },
      { worker: '9', subgraph: 'reviews', circuit: 'closed' },
      { worker: '10', subgraph: 'reviews', circuit: 'open' },
    ],
  });
});
