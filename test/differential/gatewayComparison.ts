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

/** An answer with the number of HTTP requests that subgraphs got for it. */
interface CountedAnswer<T extends Answer> {
  readonly answer: T;
  readonly calls: number;
}

/** The gateway and `@apollo/gateway` before the same subgraphs, and a monolith that decides. One operation at a
 *  time: requests are counted. */
export interface GatewayComparison extends AsyncDisposable {
  readonly name: string;
  readonly monolith: Monolith;
  readonly peer: ApolloPeer;
  executeOnGateway(trial: Trial): Promise<CountedAnswer<Answer>>;
  executeOnApollo(trial: Trial): Promise<CountedAnswer<ApolloAnswer>>;
}

/** Closing it leaves the graph running. */
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

/** Each with demo subgraphs of its own. */
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
  /** What is wrong with the gateway, or a difference that the table does not know: as text. */
  readonly problem?: string;
  /** Why `@apollo/gateway` is wrong. */
  readonly kind?: DifferenceKind;
}

/** `createTrial` gives the operation anew, in a state of its own. */
export async function compareGateways(
  contest: GatewayComparison,
  createTrial: () => Trial,
): Promise<ComparisonResult> {
  const trial = createTrial();
  const { monolith, peer } = contest;
  const expected = await monolith.execute(trial);
  const differs = (got: Answer): Promise<string | undefined> =>
    findDifference({
      expected,
      got,
      withoutNullPropagation: () => monolith.executeWithoutNullPropagation(trial),
    });
  const us = await contest.executeOnGateway(trial);
  const ours = await differs(us.answer);
  if (ours !== undefined) return { problem: `The gateway is wrong: ${ours}` };
  const apollo = await contest.executeOnApollo(createTrial());
  const theirs = await differs(apollo.answer);
  if (theirs !== undefined) {
    const difference = { graph: contest.name, createTrial, expected, apollo: apollo.answer };
    const kind = await classifyApolloDifference(difference, monolith, peer);
    return kind === undefined
      ? { problem: `Apollo Gateway is wrong in a way that the table does not have: ${theirs}` }
      : { kind };
  }
  // Of several mutations Apollo Gateway reads what others have changed meanwhile, and is right by luck.
  if (trial.source.startsWith('mutation') || !hasExcessCalls(us, apollo)) return {};
  // Known: of an object of which nothing is selected the gateway asks the type, which an @interfaceObject has not.
  if (JSON.stringify(expected.data).includes('{}')) return {};
  // Where it takes an alias for a key, it may be right without having asked.
  const plain = (): Trial => toPlainTrial(createTrial());
  const [usPlainly, apolloPlainly] = [
    await contest.executeOnGateway(plain()),
    await contest.executeOnApollo(plain()),
  ];
  return hasExcessCalls(usPlainly, apolloPlainly)
    ? {
        problem: `${usPlainly.calls} requests, of Apollo Gateway ${apolloPlainly.calls}, and ${apolloPlainly.answer.avoidableRequests} of these for fetches that were ready at once`,
      }
    : {};
}

/** The gateway may send as many as Apollo Gateway would if it put together what is ready at once. */
function hasExcessCalls(us: CountedAnswer<Answer>, apollo: CountedAnswer<ApolloAnswer>): boolean {
  return us.calls > apollo.calls - apollo.answer.avoidableRequests;
}
