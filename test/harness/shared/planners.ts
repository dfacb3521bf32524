// Evaluated once per worker: all suites of a worker share the planners.

import { LRUCache } from 'lru-cache';
import {
  type ApolloPlanner,
  type ApolloPlannerOptions,
  createApolloPlanner,
} from '../../../gateway/planning/apolloPlanner.ts';

/** A planner stores nothing about the operations that it has planned. */
const planners = new LRUCache<string, ApolloPlanner>({ max: 12 });

/** The planner of a supergraph, cached while it is among the recently used ones. @throws {Error} like
 *  `createApolloPlanner`. */
export function sharedPlanner({ sdl, ...limits }: ApolloPlannerOptions): ApolloPlanner {
  const { maxEvaluatedPlans, pathsLimit, splitTimeoutMs } = limits;
  const key = `${maxEvaluatedPlans} ${pathsLimit} ${splitTimeoutMs} ${sdl}`;
  const known = planners.get(key);
  if (known !== undefined) return known;
  const planner = createApolloPlanner({ sdl, maxEvaluatedPlans, pathsLimit, splitTimeoutMs });
  planners.set(key, planner);
  return planner;
}
