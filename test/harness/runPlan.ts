import { buildSchema, parse } from 'graphql';
import { compileProgram } from '../../gateway/execution/compileProgram.ts';
import { Execution, type ResumedExecution } from '../../gateway/execution/execution.ts';
import { combineObservers, type ExecutionObserver } from '../../gateway/execution/executionObserver.ts';
import type { FetchCall } from '../../gateway/execution/fetchCall.ts';
import { FetchScheduler } from '../../gateway/execution/fetchScheduler.ts';
import { FetchShapeRegistry } from '../../gateway/execution/fetchShape.ts';
import type { FetchStep, Program } from '../../gateway/execution/program.ts';
import type { RequestContext } from '../../gateway/execution/requestContext.ts';
import { splitProgramByPaths } from '../../gateway/execution/splitProgramByPaths.ts';
import { SubgraphFetchSender } from '../../gateway/execution/subgraphFetchSender.ts';
import { TypeConditions } from '../../gateway/execution/typeConditions.ts';
import type { SelectionSet } from '../../gateway/operation/selection.ts';
import type { FetchNode, FlattenNode, PlanNode } from '../../gateway/planning/queryPlan.ts';
import { readSupergraphNames } from '../../gateway/planning/supergraphNames.ts';
import { annotateFetches, type CacheAnnotations } from './annotateFetches.ts';
import { FakeSubgraphClient } from './fakeSubgraphClient.ts';
import { createRequestContext } from './fetchNodes.ts';

const sdl = `
  interface Media { id: ID! }
  type Product { id: ID! }
  type Vendor { id: ID! }
  type Book implements Media { id: ID! }
  type Film implements Media { id: ID! }
`;

export interface RunningPlan {
  readonly execution: Execution;
  readonly client: FakeSubgraphClient;
  /** Delivery groups, in the order in which they were completed. */
  readonly completedGroups: readonly number[];
  readonly faults: readonly unknown[];
  /** `start` and `end` of each step, with its index. */
  readonly steps: readonly string[];
}

interface RunPlanOptions {
  /** The number of delivery groups, including the primary data. Default: 1. */
  readonly groupCount?: number;
  readonly context?: RequestContext;
  /** The client's selection, for a plan that the executor must split. */
  readonly root?: SelectionSet;
  /** Fields of the root types. Default: none, so that the type of no object is known from the schema. */
  readonly rootTypes?: string;
  readonly resume?: ResumedExecution;
  /** Annotates responses as a cache does. */
  annotationsOf?(call: FetchCall): CacheAnnotations;
  /** Of a mutation. */
  isDataNullBefore?(step: FetchStep): boolean;
  onGroupComplete?(group: number): void;
  /** Returns a further observer. */
  observe?(program: Program): ExecutionObserver;
}

/** Starts a plan with a subgraph client whose calls the test responds to. */
export function runPlan(node: PlanNode, options: RunPlanOptions = {}): RunningPlan {
  const { groupCount = 1, context = createRequestContext(), root, rootTypes = '' } = options;
  const client = new FakeSubgraphClient();
  const completedGroups: number[] = [];
  const faults: unknown[] = [];
  const steps: string[] = [];
  const conditions = new TypeConditions(readSupergraphNames(parse(sdl, { noLocation: true })));
  const compile = {
    plan: { kind: 'QueryPlan' as const, node },
    groupCount,
    shapes: new FetchShapeRegistry(),
    conditions,
    schema: buildSchema(sdl + rootTypes),
  };
  const program = root === undefined ? compileProgram(compile) : splitProgramByPaths({ ...compile, root });
  const recordSteps: ExecutionObserver = {
    onStepStart: ({ index }) => steps.push(`start ${index}`),
    onStepEnd: ({ index }) => steps.push(`end ${index}`),
  };
  const observer = options.observe?.(program);
  const { isDataNullBefore } = options;
  const execution = new Execution({
    program,
    requestContext: context,
    scheduler: new FetchScheduler(
      annotateFetches(
        new SubgraphFetchSender(client, { acrossRequests: false, maxBatchSize: 100 }),
        (call) => options.annotationsOf?.(call) ?? {},
      ),
      context,
    ),
    conditions,
    resume: options.resume,
    observer: combineObservers(observer === undefined ? [recordSteps] : [recordSteps, observer]),
    onInternalError: (fault) => faults.push(fault),
    isDataNullBefore:
      isDataNullBefore &&
      function* (step) {
        yield;
        return isDataNullBefore(step);
      },
  });
  execution.start((group) => {
    completedGroups.push(group);
    options.onGroupComplete?.(group);
  });
  return { execution, client, completedGroups, faults, steps };
}

export const sequence = (...nodes: PlanNode[]): PlanNode => ({ kind: 'Sequence', nodes });
export const parallel = (...nodes: PlanNode[]): PlanNode => ({ kind: 'Parallel', nodes });
export const flattenAt = (path: string, node: FetchNode): FlattenNode => ({
  kind: 'Flatten',
  path: path.split('.'),
  node,
});

/** Entities as a root field returns them. */
export const products = (...ids: string[]): object[] => ids.map((id) => ({ __typename: 'Product', id }));

/** The representations of each call; `root` for a call without any. */
export const representations = (client: FakeSubgraphClient): unknown[] =>
  client.calls.map(({ body }) => body.variables.representations ?? 'root');
