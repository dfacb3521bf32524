import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { printPlan } from '../../gateway/planning/printPlan.ts';
import type { Supergraph } from '../../gateway/supergraph/supergraph.ts';
import {
  concurrentlyFetchedSubgraphs,
  loadDemoSupergraph,
  planDemoOperation,
} from '../harness/planDemoOperation.ts';
import { type DemoOperation, readDemoOperations } from '../harness/readDemoOperations.ts';
import type { TestGateway } from '../harness/testGateway.ts';
import { type ApolloFederation, startApolloFederation } from './apolloPeer.ts';
import { startDifferentialGatewayInTurns } from './differentialGateway.ts';
import { executeTrial, executeTrialIncrementally } from './executeTrial.ts';
import { findFixtureDifference } from './planFixture.ts';
import { printCalls, recordCalls, requestedEntities, type SubgraphCall } from './recordCalls.ts';
import { splitRootFields } from './splitRootFields.ts';

const operations = readDemoOperations().filter(({ kind }) => kind !== 'subscription');

interface Trace {
  readonly calls: readonly SubgraphCall[];
  readonly apolloCalls: readonly SubgraphCall[];
  /** The calls for each root field of a mutation alone, or for the whole of any other operation. */
  readonly apolloCallsInTurn: readonly (readonly SubgraphCall[])[];
}

let gateway: TestGateway;
let apollo: ApolloFederation;
let supergraph: Supergraph;
beforeAll(async () => {
  [gateway, apollo, supergraph] = await Promise.all([
    startDifferentialGatewayInTurns(),
    startApolloFederation(),
    loadDemoSupergraph(),
  ]);
});
afterAll(async () => {
  await Promise.all([gateway.close(), apollo[Symbol.asyncDispose](), supergraph.planner.close()]);
});

describe.each(operations)('the subgraph calls of $name', (operation) => {
  let trace: Trace;
  beforeAll(async () => {
    trace = await traceOf(operation);
  });

  test('equal the fixture, as does the plan', async () => {
    const { calls, apolloCalls } = trace;
    const text = [
      printPlan(await planDemoOperation(supergraph, operation)),
      `Requests: ${calls.length}, of @apollo/gateway: ${apolloCalls.length}`,
      printCalls(calls),
    ].join('\n\n');
    expect(findFixtureDifference(operation.name, `${text}\n`)).toBeUndefined();
  });

  test("are no more than @apollo/gateway's, and fewer where two fetches to one subgraph are ready at the same time", async () => {
    const together = concurrentlyFetchedSubgraphs(await planDemoOperation(supergraph, operation));
    // @apollo/gateway runs all mutations of one subgraph before it fetches the fields of the first one from other
    // subgraphs, which later mutations may have changed by then. Its calls for one root field after the other are
    // correct.
    const most = trace.apolloCallsInTurn.flat().length - together.length;
    expect(trace.calls.length).toBeLessThanOrEqual(most);
  });

  test('fetch each field of an entity once, except for two mutations', () => {
    const allowed = repeated(
      trace.apolloCallsInTurn.flatMap((calls) => [...new Set(requestedEntities(calls))]),
    );
    const fetched = repeated(requestedEntities(trace.calls));
    expect(fetched.filter((entity) => !allowed.includes(entity))).toEqual([]);
  });
});

const deferred = new URL('../fixtures/plans/deferred/', import.meta.url);

describe.each(readdirSync(deferred).filter((file) => file.endsWith('.graphql')))(
  'the subgraph calls of %s with @defer',
  (file) => {
    test('equal the fixture, as does the plan, and fetch each field of an entity once', async () => {
      const trial = { source: readFileSync(new URL(file, deferred), 'utf8'), variables: {} };
      const calls = await recordCalls(gateway.subgraphs, () =>
        executeTrialIncrementally(gateway.url, trial, 'incrementalSpec=v0.2'),
      );
      const plan = printPlan(await planDemoOperation(supergraph, trial));
      const text = [plan, `Requests: ${calls.length}`, printCalls(calls)].join('\n\n');
      const name = `deferred/${file.replace('.graphql', '')}`;
      expect(findFixtureDifference(name, `${text}\n`)).toBeUndefined();
      expect(repeated(requestedEntities(calls))).toEqual([]);
    });
  },
);

async function traceOf(operation: DemoOperation): Promise<Trace> {
  const calls = await recordCalls(gateway.subgraphs, () => executeTrial(gateway.url, operation));
  const apolloCalls = await recordCalls(apollo.subgraphs, () => apollo.execute(operation));
  if (operation.kind !== 'mutation') return { calls, apolloCalls, apolloCallsInTurn: [apolloCalls] };
  const apolloCallsInTurn: SubgraphCall[][] = [];
  for (const part of splitRootFields(operation)) {
    apolloCallsInTurn.push(await recordCalls(apollo.subgraphs, () => apollo.execute(part)));
  }
  return { calls, apolloCalls, apolloCallsInTurn };
}

function repeated(entities: readonly string[]): string[] {
  return entities.filter((entity, index) => entities.indexOf(entity) !== index);
}
