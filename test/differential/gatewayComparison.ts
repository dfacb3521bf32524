import { readFileSync } from 'node:fs';
import type { Trial } from '../harness/trial.ts';
import type { Answer } from './answer.ts';
import { type ApolloAnswer, type ApolloPeer, startApolloFederation, startApolloPeer } from './apolloPeer.ts';
import { classifyApolloDifference, type DifferenceKind, toPlainTrial } from './classifyApolloDifference.ts';
import { findDifference } from './compareAnswers.ts';
import { DemoMonolith } from './demoMonolith.ts';
import { startDifferentialGateway } from './differentialGateway.ts';
import { executeTrial } from './executeTrial.ts';
import type { RunningGraph } from './graphs/framework/startGraph.ts';
import { recordCalls } from './recordCalls.ts';
import type { Monolith } from './trials.ts';

/** A response with the number of HTTP requests that the subgraphs received for it. */
interface CountedAnswer<T extends Answer> {
  readonly answer: T;
  readonly calls: number;
}

/** The gateway and `@apollo/gateway` in front of the same subgraphs, and a monolith that decides. Executes one
 *  operation at a time, because it counts requests. */
export interface GatewayComparison extends AsyncDisposable {
  readonly name: string;
  readonly monolith: Monolith;
  readonly peer: ApolloPeer;
  executeOnGateway(trial: Trial): Promise<CountedAnswer<Answer>>;
  executeOnApollo(trial: Trial): Promise<CountedAnswer<ApolloAnswer>>;
}

/** Closing the comparison leaves the graph running. */
export async function startGraphComparison({
  graph,
  gateway,
  monolith,
}: RunningGraph): Promise<GatewayComparison> {
  const peer = await startApolloPeer({ supergraphSdl: readFileSync(gateway.supergraphFile, 'utf8') });
  const subgraphs = graph.subgraphs.map(({ name }) => gateway.subgraph(name));
  async function count<T extends Answer>(ask: () => Promise<T>): Promise<CountedAnswer<T>> {
    for (const subgraph of subgraphs) subgraph.reset();
    const answer = await ask();
    return { answer, calls: subgraphs.reduce((sum, { calls }) => sum + calls.length, 0) };
  }
  return {
    name: graph.name,
    monolith,
    peer,
    executeOnGateway: (trial) => count(() => executeTrial(gateway.url, trial)),
    executeOnApollo: (trial) => count(() => peer.execute(trial)),
    [Symbol.asyncDispose]: () => peer[Symbol.asyncDispose](),
  };
}

/** Each gateway has demo subgraphs of its own. */
export async function startDemoComparison(): Promise<GatewayComparison> {
  const [gateway, apollo] = await Promise.all([startDifferentialGateway(), startApolloFederation()]);
  async function count<T extends Answer>(
    { subgraphs }: Pick<typeof apollo, 'subgraphs'>,
    ask: () => Promise<T>,
  ): Promise<CountedAnswer<T>> {
    let answer: T | undefined;
    const calls = await recordCalls(subgraphs, async () => {
      answer = await ask();
    });
    return { answer: answer as T, calls: calls.length };
  }
  return {
    name: 'demo',
    monolith: new DemoMonolith(),
    peer: apollo,
    executeOnGateway: (trial) => count(gateway, () => executeTrial(gateway.url, trial)),
    executeOnApollo: (trial) => count(apollo, () => apollo.execute(trial)),
    async [Symbol.asyncDispose]() {
      await Promise.all([gateway.close(), apollo[Symbol.asyncDispose]()]);
    },
  };
}

interface ComparisonResult {
  /** A fault of the gateway, or a difference that is not in the table, as text. */
  readonly problem?: string;
  /** Why `@apollo/gateway` is wrong. */
  readonly kind?: DifferenceKind;
}

/** `createTrial` creates the operation with a state of its own. */
export async function compareGateways(
  comparison: GatewayComparison,
  createTrial: () => Trial,
): Promise<ComparisonResult> {
  const trial = createTrial();
  const { monolith, peer } = comparison;
  const expected = await monolith.execute(trial);
  const differs = (got: Answer): Promise<string | undefined> =>
    findDifference({
      expected,
      got,
      withoutNullPropagation: () => monolith.executeWithoutNullPropagation(trial),
    });
  const us = await comparison.executeOnGateway(trial);
  const ours = await differs(us.answer);
  if (ours !== undefined) return { problem: `The gateway is wrong: ${ours}` };
  const apollo = await comparison.executeOnApollo(createTrial());
  const theirs = await differs(apollo.answer);
  if (theirs !== undefined) {
    const difference = { graph: comparison.name, createTrial, expected, apollo: apollo.answer };
    const kind = await classifyApolloDifference(difference, monolith, peer);
    return kind === undefined
      ? { problem: `Apollo Gateway is wrong in a way that the table does not have: ${theirs}` }
      : { kind };
  }
  // With several mutations, Apollo Gateway reads values that other mutations have changed meanwhile, and is correct
  // only by chance.
  if (trial.source.startsWith('mutation') || !hasExcessCalls(us, apollo)) return {};
  // Known: for an object without selected fields, the gateway fetches the type, which an @interfaceObject does not
  // have.
  if (JSON.stringify(expected.data).includes('{}')) return {};
  // Known: without the keys that are not resolvable, the planner may fetch the input of a `@requires` by another key although
  // the fetch before could bring it (decision 0016).
  if (comparison.name === 'unresolvableKeys') return {};
  // Where it mistakes an alias for a key, it may be correct without the fetch.
  const plain = (): Trial => toPlainTrial(createTrial());
  const [usPlainly, apolloPlainly] = [
    await comparison.executeOnGateway(plain()),
    await comparison.executeOnApollo(plain()),
  ];
  return hasExcessCalls(usPlainly, apolloPlainly)
    ? {
        problem: `${usPlainly.calls} requests, of Apollo Gateway ${apolloPlainly.calls}, and ${apolloPlainly.answer.avoidableRequests} of these for fetches that were ready at once`,
      }
    : {};
}

/** The gateway may send as many requests as Apollo Gateway would if it batched the fetches that are ready at the same
 *  time. */
function hasExcessCalls(us: CountedAnswer<Answer>, apollo: CountedAnswer<ApolloAnswer>): boolean {
  return us.calls > apollo.calls - apollo.answer.avoidableRequests;
}
