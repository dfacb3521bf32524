import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { printPlan } from '../../gateway/planning/printPlan.ts';
import type { Supergraph } from '../../gateway/supergraph/supergraph.ts';
import { type ApolloFederation, startApolloFederation } from '../differential/apolloFederation.ts';
import { askGateway } from '../differential/askGateway.ts';
import { startGatewayUnderTest } from '../differential/gatewayUnderTest.ts';
import {
  loadDemoSupergraph,
  planDemoOperation,
  subgraphsAskedTogether,
} from '../differential/planDemoOperation.ts';
import { type DemoOperation, readDemoOperations } from '../differential/readDemoOperations.ts';
import { askedEntities, printCalls, recordCalls, type SubgraphCall } from '../differential/recordCalls.ts';
import type { TestGateway } from '../harness/gateway.ts';

/** `UPDATE_PLANS=1` writes the fixtures anew; the difference is to be read before it is committed. */
const isUpdate = process.env.UPDATE_PLANS === '1';
const operations = readDemoOperations().filter(({ kind }) => kind !== 'subscription');

interface Trace {
  readonly calls: readonly SubgraphCall[];
  readonly apolloCalls: readonly SubgraphCall[];
}

let gateway: TestGateway;
let apollo: ApolloFederation;
let supergraph: Supergraph;
beforeAll(async () => {
  [gateway, apollo, supergraph] = await Promise.all([
    startGatewayUnderTest(),
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
    expect(await compareWithFixture(operation, trace)).toBeUndefined();
  });

  test("are no more than @apollo/gateway's, and fewer where two fetches to one subgraph are ready at once", async () => {
    const together = subgraphsAskedTogether(await planDemoOperation(supergraph, operation));
    const most = trace.apolloCalls.length - together.length;
    expect(trace.calls.length).toBeLessThanOrEqual(most);
  });

  test('ask nothing twice of one entity', () => {
    const asked = askedEntities(trace.calls);
    expect(asked.filter((question, index) => asked.indexOf(question) !== index)).toEqual([]);
  });
});

async function traceOf(operation: DemoOperation): Promise<Trace> {
  return {
    calls: await recordCalls(gateway.subgraphs, () => askGateway(gateway.url, operation)),
    apolloCalls: await recordCalls(apollo.subgraphs, () => apollo.ask(operation)),
  };
}

/** The first line that differs, as text. */
async function compareWithFixture(operation: DemoOperation, trace: Trace): Promise<string | undefined> {
  const file = new URL(`../fixtures/plans/${operation.name}.txt`, import.meta.url);
  const plan = printPlan(await planDemoOperation(supergraph, operation));
  const text = [
    plan,
    `Requests: ${trace.calls.length}, of @apollo/gateway: ${trace.apolloCalls.length}`,
    printCalls(trace.calls),
    '',
  ].join('\n\n');
  if (isUpdate) writeFileSync(file, text);
  if (!existsSync(file)) return `${operation.name}.txt is missing: run with UPDATE_PLANS=1`;
  const known = readFileSync(file, 'utf8').split('\n');
  const index = text.split('\n').findIndex((line, number) => line !== known[number]);
  if (index === -1 && known.length === text.split('\n').length) return undefined;
  return `${operation.name}.txt, line ${index + 1}: ${known[index]}\ninstead: ${text.split('\n')[index]}`;
}
