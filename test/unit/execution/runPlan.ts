import { compileProgram } from '../../../gateway/execution/compileProgram.ts';
import { deferByData } from '../../../gateway/execution/deferByData.ts';
import { Execution } from '../../../gateway/execution/execution.ts';
import { FetchScheduler } from '../../../gateway/execution/fetchScheduler.ts';
import { FetchShapes } from '../../../gateway/execution/fetchShape.ts';
import type { RequestScope } from '../../../gateway/execution/requestScope.ts';
import { SubgraphFetches } from '../../../gateway/execution/subgraphFetches.ts';
import { TypeConditions } from '../../../gateway/execution/typeConditions.ts';
import type { DeferredPlace } from '../../../gateway/operation/normalize.ts';
import type { SelectionSet } from '../../../gateway/operation/selection.ts';
import type { FetchNode, FlattenNode, PlanNode } from '../../../gateway/planning/queryPlan.ts';
import { FakeClient } from './fakeClient.ts';
import { scopeOf } from './fetches.ts';

const sdl = `
  interface Media { id: ID! }
  type Product { id: ID! }
  type Vendor { id: ID! }
  type Book implements Media { id: ID! }
  type Film implements Media { id: ID! }
`;

export interface RunningPlan {
  readonly execution: Execution;
  readonly client: FakeClient;
  /** Groups in the order in which they were complete. */
  readonly complete: readonly number[];
  readonly faults: readonly unknown[];
}

export interface RunPlanOptions {
  readonly booleans?: Readonly<Record<string, unknown>>;
  readonly deferred?: readonly DeferredPlace[];
  readonly scope?: RequestScope;
  /** The client's selection, for a plan that the executor has to divide. */
  readonly root?: SelectionSet;
  onGroupComplete?(group: number): void;
}

/** Starts a plan against a client that the test answers for. */
export function runPlan(node: PlanNode, options: RunPlanOptions = {}): RunningPlan {
  const { booleans = {}, deferred = [], scope = scopeOf(), root } = options;
  const client = new FakeClient();
  const complete: number[] = [];
  const faults: unknown[] = [];
  const conditions = new TypeConditions(sdl);
  const compile = {
    plan: { kind: 'QueryPlan' as const, node },
    deferred,
    booleans,
    shapes: new FetchShapes(),
    conditions,
  };
  const execution = new Execution({
    program: root === undefined ? compileProgram(compile) : deferByData({ ...compile, root }),
    scope,
    scheduler: new FetchScheduler(
      new SubgraphFetches(client, { acrossRequests: false, maxBatchSize: 100 }),
      scope,
    ),
    conditions,
    onGroupComplete: (group) => {
      complete.push(group);
      options.onGroupComplete?.(group);
    },
    onInternalError: (fault) => faults.push(fault),
  });
  execution.start();
  return { execution, client, complete, faults };
}

export const sequence = (...nodes: PlanNode[]): PlanNode => ({ kind: 'Sequence', nodes });
export const parallel = (...nodes: PlanNode[]): PlanNode => ({ kind: 'Parallel', nodes });
export const at = (path: string, node: FetchNode): FlattenNode => ({
  kind: 'Flatten',
  path: path.split('.'),
  node,
});
