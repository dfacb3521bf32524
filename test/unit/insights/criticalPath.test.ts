import { describe, expect, test } from '@jest/globals';
import { AnswerTimes } from '../../../gateway/insights/answerTimes.ts';
import { describePlan } from '../../../gateway/insights/planDescription.ts';
import { SelectionSet } from '../../../gateway/operation/selection.ts';
import type { PlanNode } from '../../../gateway/planning/queryPlan.ts';
import { createRandom, type Random } from '../../../subgraphs/shared/random.ts';
import { FakeTimers } from '../../harness/fakeTimers.ts';
import { entityFetch, rootFetch } from '../../harness/fetchNodes.ts';
import { flattenAt, parallel, type RunningPlan, runPlan, sequence } from '../../harness/runPlan.ts';
import { waitForTurns } from '../../harness/waitForTurns.ts';

/** Runs a plan whose subgraphs need these times, on a clock that stands still while the gateway works. */
async function runTimed(node: PlanNode, delayOf: (subgraph: string) => number) {
  const clock = new FakeTimers();
  const startedAt = clock.now();
  clock.advance(3);
  let times: AnswerTimes | undefined;
  const { client }: RunningPlan = runPlan(node, {
    observe: (program) => {
      const plan = describePlan({ program, root: new SelectionSet([]), enrichments: [] });
      times = new AnswerTimes({ plan, now: clock.now, onEnd: () => {} }, startedAt, true);
      return times;
    },
  });
  const open: { at: number; answer: () => void }[] = [];
  let seen = 0;
  for (;;) {
    await waitForTurns();
    for (const { request, body, answer } of client.calls.slice(seen)) {
      seen += 1;
      const { representations } = body.variables as { representations?: readonly object[] };
      const data =
        representations === undefined
          ? { product: { __typename: 'Product', id: '1' } }
          : { _entities: representations.map(() => ({ [request.subgraph]: 1 })) };
      open.push({ at: clock.now() + delayOf(request.subgraph), answer: () => answer({ data }) });
    }
    open.sort((a, b) => a.at - b.at);
    const next = open.shift();
    if (next === undefined) break;
    clock.advance(next.at - clock.now());
    next.answer();
  }
  (times as AnswerTimes).onResponseReady(new Set());
  clock.advance(2);
  return { times: times?.timesOf(), totalMs: clock.now() - startedAt };
}

const fetchFrom = (subgraph: string): PlanNode =>
  flattenAt('product', entityFetch(subgraph, { serviceName: subgraph }));

/** A plan of up to 12 fetches, each from a subgraph of its own. */
function generatePlan(random: Random): { node: PlanNode; subgraphs: string[] } {
  const subgraphs = ['root'];
  const grow = (depth: number): PlanNode => {
    if (depth === 0 || subgraphs.length > 10 || random.chance(0.3)) {
      const name = `s${subgraphs.length}`;
      subgraphs.push(name);
      return fetchFrom(name);
    }
    const nodes = Array.from({ length: random.integer(2, 4) }, () => grow(depth - 1));
    return random.chance(0.5) ? sequence(...nodes) : parallel(...nodes);
  };
  const root = rootFetch('product{__typename id}', { serviceName: 'root' });
  return { node: sequence(root, grow(3)), subgraphs };
}

describe('the critical path', () => {
  test('names the chain that ended last, with the time of each fetch, planning and shaping', async () => {
    const node = sequence(
      rootFetch('product{__typename id}', { serviceName: 'root' }),
      parallel(sequence(fetchFrom('price'), fetchFrom('tax')), fetchFrom('reviews')),
    );
    const delays: Record<string, number> = { root: 10, price: 20, tax: 5, reviews: 24 };
    const { times } = await runTimed(node, (subgraph) => delays[subgraph] as number);
    expect(times).toEqual({
      criticalPath: [
        { subgraph: 'root', path: [], ms: 10 },
        { subgraph: 'price', path: ['product'], ms: 20 },
        { subgraph: 'tax', path: ['product'], ms: 5 },
      ],
      timings: { planningMs: 3, budgetMs: 0, shapingMs: 2 },
    });
  });

  test('names the delayed fetch in each of 100 generated plans, and its parts are the whole time', async () => {
    const missed: unknown[] = [];
    for (let seed = 1; seed <= 100; seed++) {
      const random = createRandom(seed);
      const { node, subgraphs } = generatePlan(random);
      const delays = new Map(subgraphs.map((name) => [name, random.integer(1, 20)]));
      const delayed = random.pick(subgraphs);
      delays.set(delayed, 300);
      const { times, totalMs } = await runTimed(node, (subgraph) => delays.get(subgraph) as number);
      const { criticalPath = [], timings } = times ?? {};
      const named = criticalPath.find(({ subgraph }) => subgraph === delayed);
      const sum = criticalPath.reduce((total, { ms }) => total + ms, 0);
      const { planningMs = 0, budgetMs = 0, shapingMs = 0 } = timings ?? {};
      if (named?.ms !== 300 || sum + planningMs + budgetMs + shapingMs !== totalMs)
        missed.push({ seed, delayed, criticalPath });
    }
    expect(missed).toEqual([]);
  });
});
