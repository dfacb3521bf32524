// Entry of the planner's thread: loads the supergraph, says so, then answers one request after the other.

import { parentPort, workerData } from 'node:worker_threads';
import {
  type ApolloPlanner,
  createApolloPlanner,
  describeLoadError,
  exceededLimit,
} from './apolloPlanner.ts';
import type { FromPlanner, PlannerThreadData, ToPlanner } from './plannerMessages.ts';

const port = parentPort;
if (port === null) throw new Error('plannerWorker.ts is the entry of a worker thread');

const say = (message: FromPlanner): void => port.postMessage(message);

const planner = load(workerData as PlannerThreadData);
if (planner !== undefined) {
  port.on('message', (request: ToPlanner) => say(answer(planner, request)));
  const { apiSchemaSdl, subgraphs, overrides } = planner;
  say({ kind: 'ready', apiSchemaSdl, subgraphs, overrides });
}

function load(options: PlannerThreadData): ApolloPlanner | undefined {
  try {
    return createApolloPlanner(options);
  } catch (error) {
    say({ kind: 'refused', message: describeLoadError(error) });
    return undefined;
  }
}

function answer(from: ApolloPlanner, request: ToPlanner): FromPlanner {
  try {
    return { kind: 'planned', plan: JSON.stringify(from.plan(request)) };
  } catch (error) {
    return {
      kind: 'failed',
      message: error instanceof Error ? error.message : String(error),
      exceeded: exceededLimit(error),
    };
  }
}
