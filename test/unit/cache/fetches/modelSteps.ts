import fc from 'fast-check';
import { GatewayError } from '../../../../gateway/errors.ts';
import type { FetchShape } from '../../../../gateway/execution/fetchShape.ts';
import { entityFetch, rootFetch, shapeOf } from '../../../harness/fetchNodes.ts';
import { headerCases } from './modelRules.ts';
import { type AnswerSpec, plainAnswerSpec } from './modelSubgraph.ts';

const entities = (selections: string): FetchShape =>
  shapeOf(
    entityFetch('', {
      serviceName: 'products',
      operation: `query ($representations: [_Any!]!) { _entities(representations: $representations) { ${selections} } }`,
    }),
  );
const root = (operation: string): FetchShape => shapeOf(rootFetch('', { operation }));

export const shapes = {
  names: { type: 'Product', shape: entities('... on Product { name }') },
  titles: { type: 'Product', shape: entities('... on Product { title: name __proto__: name }') },
  mails: { type: 'User', shape: entities('... on User { mail }') },
} as const;
export const roots = {
  all: root('query Shop { news mine hits }'),
  news: root('query Other { news }'),
  aliased: root('{ __proto__: news own: mine }'),
} as const;

// Few values, so that requests overlap.
const ids = ['1', '1', '2', '__proto__'];
const which = fc.nat(30);
const identity = fc.constantFrom('ann', 'ann', 'ann', 'bob', undefined);
const remainingMs = fc.constantFrom(Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, 20_000);
const budget = fc.constantFrom('none' as const, 'running' as const, 'running' as const, 'over' as const);
const answerSpec = fc.record({
  headerCase: fc.oneof(fc.constant('nothing'), fc.constantFrom(...Object.keys(headerCases))),
  outcomes: fc.oneof(
    { weight: 3, arbitrary: fc.constant<AnswerSpec['outcomes']>(['value']) },
    {
      weight: 2,
      arbitrary: fc.array(
        fc.constantFrom<AnswerSpec['outcomes'][number]>(
          'value',
          'value',
          'null',
          'error',
          'part',
          'forbidden',
        ),
        {
          minLength: 1,
          maxLength: 4,
        },
      ),
    },
  ),
  isEscaped: fc.boolean(),
  operationError: fc.oneof(
    { weight: 4, arbitrary: fc.constant<AnswerSpec['operationError']>('none') },
    { weight: 1, arbitrary: fc.constantFrom<AnswerSpec['operationError']>('error', 'lost') },
  ),
});
export const failures = {
  gone: new GatewayError('SUBGRAPH_UNREACHABLE', 'gone', { subgraph: 'products' }),
  slow: new GatewayError('SUBGRAPH_TIMEOUT', 'slow', { subgraph: 'products' }),
  expired: new GatewayError('DEADLINE_EXCEEDED', 'expired', { subgraph: 'products' }),
  refused: new GatewayError('SUBGRAPH_ERROR', 'refused', { extensions: { http: { status: 403 } } }),
};

const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('entities' as const),
      calls: fc.uniqueArray(
        fc.record({
          name: fc.constantFrom('names' as const, 'names' as const, 'titles' as const, 'mails' as const),
          ids: fc.uniqueArray(fc.constantFrom(...ids), { minLength: 1, maxLength: 4 }),
        }),
        { minLength: 1, maxLength: 2, selector: ({ name }) => name },
      ),
      identity,
      remainingMs,
      budget,
      process: fc.nat(1),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('root' as const),
      name: fc.constantFrom('all' as const, 'news' as const, 'aliased' as const),
      identity,
      remainingMs,
      budget,
      process: fc.nat(1),
    }),
  },
  { weight: 9, arbitrary: fc.record({ do: fc.constant('answer' as const), which, answerSpec }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('fail' as const),
      which,
      by: fc.constantFrom('gone' as const, 'slow' as const, 'expired' as const, 'refused' as const),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('cancel' as const), which }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('end budget' as const), which }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('invalidate' as const),
      by: fc.constantFrom(
        'entity' as const,
        'entity' as const,
        'type' as const,
        'subgraph' as const,
        'tag' as const,
      ),
      id: fc.constantFrom(...ids),
      process: fc.nat(1),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('pass' as const),
      ms: fc.constantFrom(1, 500, 4_000, 6_000, 11_000, 16_000),
    }),
  },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('turn' as const), microtasks: fc.nat(6) }) },
);
export type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never;

const fetchStep: Step = {
  do: 'entities',
  calls: [{ name: 'names', ids: ['1'] }],
  identity: 'ann',
  remainingMs: Number.POSITIVE_INFINITY,
  budget: 'none',
  process: 0,
};
const fetchStepInBudget: Step = { ...fetchStep, budget: 'running' };
const endBudgetSteps: Step[] = [0, 1, 2, 3].map((which) => ({ do: 'end budget', which }));
const waitStep: Step = { do: 'turn', microtasks: 6 };
const answerSteps = (headerCase: string): Step[] => [
  waitStep,
  { do: 'answer', which: 0, answerSpec: { ...plainAnswerSpec, headerCase } },
  waitStep,
];

/** Sequences of steps that random generation would rarely reach. */
const scenarioPrefixes: readonly (readonly Step[])[] = [
  // A refresh is running.
  [fetchStep, ...answerSteps('nothing'), { do: 'pass', ms: 11_000 }, fetchStep, waitStep],
  // A refresh was overtaken by an invalidation.
  [
    fetchStep,
    ...answerSteps('nothing'),
    { do: 'pass', ms: 11_000 },
    fetchStep,
    waitStep,
    { do: 'invalidate', by: 'entity', id: '1', process: 0 },
    waitStep,
  ],
  // A stale value is available as a fallback.
  [fetchStep, ...answerSteps('nothing'), { do: 'pass', ms: 16_000 }, fetchStep, waitStep],
  // The stale value is served at the end of the budget, and its fetch continues: alone, with a joiner, and as a joiner.
  [
    fetchStep,
    ...answerSteps('nothing'),
    { do: 'pass', ms: 16_000 },
    fetchStepInBudget,
    waitStep,
    ...endBudgetSteps,
  ],
  [
    fetchStep,
    ...answerSteps('nothing'),
    { do: 'pass', ms: 16_000 },
    fetchStepInBudget,
    fetchStep,
    waitStep,
    ...endBudgetSteps,
  ],
  [
    fetchStep,
    ...answerSteps('nothing'),
    { do: 'pass', ms: 16_000 },
    fetchStep,
    fetchStepInBudget,
    waitStep,
    ...endBudgetSteps,
  ],
  // Requests do not wait for an item whose last answer could not be stored.
  [fetchStep, ...answerSteps('no-store'), fetchStep, waitStep],
];
export const interleaving = fc
  .array(fc.oneof({ weight: 6, arbitrary: step.map((one) => [one]) }, fc.constantFrom(...scenarioPrefixes)), {
    minLength: 1,
    maxLength: 30,
    size: 'max',
  })
  .map((parts) => parts.flat());
