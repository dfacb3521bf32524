import type { FetchCall, FetchResult } from '../../gateway/execution/fetchCall.ts';
import { type FetchShape, FetchShapeRegistry } from '../../gateway/execution/fetchShape.ts';
import type { FetchStep } from '../../gateway/execution/program.ts';
import type { RequestContext } from '../../gateway/execution/requestContext.ts';
import { ScheduledStep } from '../../gateway/execution/scheduledStep.ts';
import type { FetchNode } from '../../gateway/planning/queryPlan.ts';

/** The `requires` of a fetch of products that sends these fields. */
export function productInputs(...fields: readonly string[]): NonNullable<FetchNode['requires']> {
  const selections = ['__typename', ...fields].map((name) => ({ kind: 'Field', name }) as const);
  return [{ kind: 'InlineFragment', typeCondition: 'Product', selections }];
}

export function entityFetch(fields: string, options: Partial<FetchNode> = {}): FetchNode {
  return {
    kind: 'Fetch',
    serviceName: 'stock',
    requires: productInputs('id'),
    variableUsages: [],
    operation: `query($representations:[_Any!]!){_entities(representations:$representations){...on Product{${fields}}}}`,
    operationKind: 'query',
    ...options,
  };
}

export function rootFetch(fields: string, options: Partial<FetchNode> = {}): FetchNode {
  return {
    kind: 'Fetch',
    serviceName: 'products',
    variableUsages: [],
    operation: `{${fields}}`,
    operationKind: 'query',
    ...options,
  };
}

const shapes = new FetchShapeRegistry();

export function shapeOf(node: FetchNode): FetchShape {
  return shapes.intern(node);
}

/** `key`: that of the forwarded headers. */
export function createRequestContext(
  options: Partial<RequestContext> & { readonly key?: string } = {},
): RequestContext {
  const { key = '', ...context } = options;
  return {
    requestId: 'r',
    traceHeaders: [],
    variables: {},
    identity: undefined,
    tokenOwner: undefined,
    clientKey: 'address test',
    preferences: { isAutoDefer: false },
    isOverridden: () => false,
    sharingKey: '',
    isMutation: false,
    deadline: Number.POSITIVE_INFINITY,
    deadlineFor: () => Number.POSITIVE_INFINITY,
    headersFor: () => ({ key, pairs: [] }),
    ...context,
  };
}

/** A step of a program that no execution has run yet. `groups`: the delivery groups that wait for it. */
export function createScheduledStep(
  options: Partial<Pick<FetchStep, 'index' | 'shape' | 'group'>> & {
    readonly groups?: readonly number[];
  } = {},
  dependents: readonly ScheduledStep[] = [],
): ScheduledStep {
  const { groups = [0], ...step } = options;
  const scheduled = new ScheduledStep(
    { index: 0, shape: shapeOf(entityFetch('stock')), group: 0, ...step },
    groups,
  );
  scheduled.dependents = dependents;
  return scheduled;
}

const productRepresentation = (id: string): string => `{"__typename":"Product","id":"${id}"}`;

/** A call for some entities, with what it was settled with. */
export function createFetchCall(
  ids: readonly string[],
  options: Partial<FetchCall> = {},
): FetchCall & { readonly results: FetchResult[] } {
  const results: FetchResult[] = [];
  return {
    shape: shapeOf(entityFetch('stock')),
    requestContext: createRequestContext(),
    group: 0,
    priority: 'primary',
    budget: undefined,
    isBelowRoot: false,
    representations: ids.map(productRepresentation),
    contextVariables: undefined,
    step: createScheduledStep(),
    settle: (result, done) => {
      results.push(result);
      done();
    },
    results,
    ...options,
  };
}
