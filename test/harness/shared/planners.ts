// Evaluated once per worker: all suites of a worker share the planners.

import { LRUCache } from 'lru-cache';
import {
  type ApolloPlanner,
  type ApolloPlannerOptions,
  createApolloPlanner,
} from '../../../gateway/planning/apolloPlanner.ts';

/** More than there are graphs in `test/differential/`, which several suites use one after the other. */
const planners = new LRUCache<string, ApolloPlanner>({ max: 40 });

/** The addresses of a supergraph with subgraphs on loopback. */
const loopbackUrl =
  /(?<=^ {2}\w+ @join__graph\(name: "[^"]+", url: ")http:\/\/127\.0\.0\.1:\d+[^"]*(?="\))/gm;

/** The planner of a supergraph, cached while it is among the recently used ones, with its plans. Ports of subgraphs do not
 *  count: tests start the same subgraphs on different ports. @throws {Error} like `createApolloPlanner`. */
export function sharedPlanner({ sdl, ...limits }: ApolloPlannerOptions): ApolloPlanner {
  const { maxEvaluatedPlans, pathsLimit, splitTimeoutMs } = limits;
  const urls = new Map<string, string>();
  const portable = sdl.replace(loopbackUrl, (url) => {
    const placeholder = `http://subgraph-${urls.size}.invalid/`;
    urls.set(placeholder, url);
    return placeholder;
  });
  const key = `${maxEvaluatedPlans} ${pathsLimit} ${splitTimeoutMs} ${portable}`;
  let planner = planners.get(key);
  if (planner === undefined) {
    planner = withCachedPlans(
      createApolloPlanner({ sdl: portable, maxEvaluatedPlans, pathsLimit, splitTimeoutMs }),
    );
    planners.set(key, planner);
  }
  return {
    ...planner,
    subgraphs: planner.subgraphs.map(({ name, url }) => ({ name, url: urls.get(url) ?? url })),
  };
}

/** Every gateway of a graph plans the operations of its suite, and several suites have the same ones. */
function withCachedPlans(planner: ApolloPlanner): ApolloPlanner {
  const plans = new LRUCache<string, string>({ max: 500 });
  return {
    ...planner,
    plan(request) {
      const key = JSON.stringify(request);
      let plan = plans.get(key);
      if (plan === undefined) {
        plan = JSON.stringify(planner.plan(request));
        plans.set(key, plan);
      }
      return JSON.parse(plan);
    },
  };
}
