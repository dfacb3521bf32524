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
import { startDifferentialGateway } from './differentialGateway.ts';
import { executeTrial, executeTrialIncrementally } from './executeTrial.ts';
import { findFixtureDifference } from './planFixture.ts';
import { printCalls, recordCalls, requestedEntities, type SubgraphCall } from './recordCalls.ts';
import { splitRootFields } from './splitRootFields.ts';

const operations = readDemoOperations().filter(({ kind }) => kind !== 'subscription');

interface Trace {
  readonly calls: readonly SubgraphCall[];
  readonly apolloCalls: readonly SubgraphCall[];
  /** Those for each root field of a mutation when it is asked for alone, and for any other operation as a whole. */
  readonly apolloCallsInTurn: readonly (readonly SubgraphCall[])[];
}

let gateway: TestGateway;
let apollo: ApolloFederation;
let supergraph: Supergraph;
beforeAll(async () => {
  [gateway, apollo, supergraph] = await Promise.all([
    startDifferentialGateway(),
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

  test('are those of the fixture, and so is the plan', async () => {
    const { calls, apolloCalls } = trace;
    const text = [
      printPlan(await planDemoOperation(supergraph, operation)),
      `Requests: ${calls.length}, of @apollo/gateway: ${apolloCalls.length}`,
      printCalls(calls),
    ].join('\n\n');
    expect(findFixtureDifference(operation.name, `${text}\n`)).toBeUndefined();
  });

  test("are no more than @apollo/gateway's, and fewer where two fetches to one subgraph are ready at once", async () => {
    const together = concurrentlyFetchedSubgraphs(await planDemoOperation(supergraph, operation));
    // @apollo/gateway runs all mutations of one subgraph before it reads what the first needs from others, which
    // the later ones may have changed by then. Right is what it does for one root field after the other.
    const most = trace.apolloCallsInTurn.flat().length - together.length;
    expect(trace.calls.length).toBeLessThanOrEqual(most);
  });

  test('ask nothing twice of one entity, unless for two mutations', () => {
    const forSeveral = repeated(
      trace.apolloCallsInTurn.flatMap((calls) => [...new Set(requestedEntities(calls))]),
    );
    const asked = repeated(requestedEntities(trace.calls));
    expect(asked.filter((question) => !forSeveral.includes(question))).toEqual([]);
  });
});

const deferred = new URL('../fixtures/plans/deferred/', import.meta.url);

describe.each(readdirSync(deferred).filter((file) => file.endsWith('.graphql')))(
  'with @defer, the subgraph calls of %s',
  (file) => {
    test('are those of the fixture, and so is the plan; they ask nothing twice of one entity', async () => {
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

function repeated(questions: readonly string[]): string[] {
  return questions.filter((question, index) => questions.indexOf(question) !== index);
}
