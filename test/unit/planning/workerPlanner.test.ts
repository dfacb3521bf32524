import { execFile } from 'node:child_process';
import { join } from 'node:path';
import process from 'node:process';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { type PlannerThread, startPlannerThread } from '../../../gateway/planning/plannerThread.ts';
import {
  createWorkerPlanner,
  type WorkerPlanner,
  type WorkerPlannerOptions,
} from '../../../gateway/planning/workerPlanner.ts';
import { composeSubgraphs, federationLink } from '../../harness/composeSubgraphs.ts';
import { countThreads } from '../../harness/countThreads.ts';
import { hostileOperation, people } from '../../harness/peopleSubgraphs.ts';
import { testPlanningLimits } from '../../harness/testPlanningLimits.ts';

const sdl = await composeSubgraphs(people);
const opened: WorkerPlanner[] = [];

async function open(options: Partial<WorkerPlannerOptions> = {}) {
  const planner = await createWorkerPlanner({ sdl, ...testPlanningLimits, ...options });
  opened.push(planner);
  return planner;
}

afterEach(async () => {
  await Promise.all(opened.splice(0).map((planner) => planner.close()));
});

const unsplit = (document: string) => ({ document, shouldSplitDefer: false });

describe('the worker planner', () => {
  /** For tests that only plan: a thread takes half a second of CPU time to start. */
  let shared: WorkerPlanner;
  beforeAll(async () => {
    shared = await createWorkerPlanner({ sdl, ...testPlanningLimits });
  });
  afterAll(() => shared.close());

  test('plans an operation on two subgraphs', async () => {
    expect(await shared.plan(unsplit('query Me($id: Boolean!) { me { name @include(if: $id) } }'))).toEqual({
      kind: 'QueryPlan',
      node: {
        kind: 'Fetch',
        serviceName: 'accounts',
        variableUsages: ['id'],
        operation: 'query Me__accounts__0($id:Boolean!){me{name@include(if:$id)}}',
        operationKind: 'query',
        operationName: 'Me__accounts__0',
      },
    });
  });

  test('splits a plan at a @defer inside a named fragment, and does not send the directive to the subgraph', async () => {
    const plan = await shared.plan({
      document:
        '{ me { ...Slow } } fragment Slow on User { name ... @defer(label: "late") { reviews { body } } }',
      shouldSplitDefer: true,
    });
    expect(plan).toEqual({
      kind: 'QueryPlan',
      node: {
        kind: 'Defer',
        primary: {
          subselection: '{ me { name } }',
          node: {
            kind: 'Fetch',
            id: '0',
            serviceName: 'accounts',
            variableUsages: [],
            operation: '{me{__typename name id}}',
            operationKind: 'query',
          },
        },
        deferred: [
          {
            depends: [{ id: '0' }],
            label: 'late',
            queryPath: ['me'],
            subselection: '{ reviews { body } }',
            node: {
              kind: 'Flatten',
              path: ['me'],
              node: {
                kind: 'Fetch',
                serviceName: 'reviews',
                requires: [
                  {
                    kind: 'InlineFragment',
                    typeCondition: 'User',
                    selections: [
                      { kind: 'Field', name: '__typename' },
                      { kind: 'Field', name: 'id' },
                    ],
                  },
                ],
                variableUsages: [],
                operation:
                  'query($representations:[_Any!]!){_entities(representations:$representations){...on User{reviews{body}}}}',
                operationKind: 'query',
              },
            },
          },
        ],
      },
    });
  });

  test('returns the rewrites for @interfaceObject, unmergeable aliases and @fromContext', async () => {
    const planner = await open({
      sdl: await composeSubgraphs([
        {
          name: 'a',
          url: 'http://a.test',
          sdl: `${federationLink}
            type Query { items: [Item] me: User }
            interface Item @key(fields: "id") { id: ID! }
            type X implements Item @key(fields: "id") { id: ID! size: Int }
            type Y implements Item @key(fields: "id") { id: ID! size: String }
            type User @key(fields: "id") @context(name: "user") { id: ID! locale: String! kid: Kid }
            type Kid @key(fields: "id") { id: ID! text(locale: String @fromContext(field: "$user { locale }")): String }
          `,
        },
        {
          name: 'b',
          url: 'http://b.test',
          sdl: `${federationLink}
            type Item @interfaceObject @key(fields: "id") { id: ID! stars: Int }
            type Kid @key(fields: "id") { id: ID! other: Int }
          `,
        },
      ]),
    });
    const rewrites = async (document: string) => {
      const found: unknown[] = [];
      JSON.stringify(await planner.plan(unsplit(document)), (key, value) => {
        if (key.endsWith('Rewrites')) found.push({ [key]: value });
        return value;
      });
      return found;
    };
    expect(await rewrites('{ items { stars } }')).toEqual([
      {
        inputRewrites: [{ kind: 'ValueSetter', path: ['... on Item', '__typename'], setValueTo: 'Item' }],
      },
    ]);
    expect(await rewrites('{ items { ... on X { size } ... on Y { size } } }')).toEqual([
      {
        outputRewrites: [
          { kind: 'KeyRenamer', path: ['items', '... on Y', 'size__alias_0'], renameKeyTo: 'size' },
        ],
      },
    ]);
    expect(await rewrites('{ me { kid { text } } }')).toEqual([
      {
        contextRewrites: [
          {
            kind: 'KeyRenamer',
            path: ['..', '... on User', 'locale'],
            renameKeyTo: 'contextualArgument_1_0',
          },
        ],
      },
    ]);
  });

  test('returns a plan without a node for an operation that needs no subgraph', async () => {
    expect(await shared.plan(unsplit('{ __schema { queryType { name } } }'))).toEqual({ kind: 'QueryPlan' });
  });

  test('shares one plan among equal requests in flight', async () => {
    const first = shared.plan(unsplit('{ me { id } }'));
    const second = shared.plan(unsplit('{ me { id } }'));
    expect(second).toBe(first);
    expect(await first).toBe(await second);
  });

  test("rejects only the request that the planner throws for, with the planner's message as the cause", async () => {
    const [failed, fine] = await Promise.allSettled([
      shared.plan(unsplit('{ nobody }')),
      shared.plan(unsplit('{ me { id } }')),
    ]);
    expect(failed).toMatchObject({
      status: 'rejected',
      reason: {
        code: 'PLANNING_FAILED',
        message: 'The operation could not be planned.',
        cause: { message: 'Cannot query field "nobody" on type "Query".' },
      },
    });
    expect(fine.status).toBe('fulfilled');
  });
});

describe('an operation that exceeds a planning limit', () => {
  /** Enough for every other plan, even on a machine that stalls for a while. */
  const timeoutMs = 2_000;

  test('fails at the time limit, a new thread plans the queued requests, and the operation is refused without planning when it is sent again', async () => {
    // No second thread starts before, so that the other requests wait for the end of the first thread.
    const planner = await open({ timeoutMs, spareAfterMs: 600_000 });
    const results = await Promise.allSettled([
      planner.plan(unsplit(hostileOperation(14))),
      planner.plan(unsplit('{ me { id } }')),
      planner.plan(unsplit('{ users { name } }')),
    ]);
    const [hostile] = results;
    expect(results).toMatchObject([
      {
        status: 'rejected',
        reason: {
          code: 'OPERATION_TOO_COMPLEX',
          message: 'The operation is too complex: planning it took longer than 2000 ms (planning.timeout).',
          extensions: { limit: 'planning.timeout', allowed: timeoutMs },
        },
      },
      { status: 'fulfilled', value: { node: { operation: '{me{id}}' } } },
      { status: 'fulfilled', value: { node: { operation: '{users{name}}' } } },
    ]);
    expect(await countThreads('tributary-plan')).toBe(1);

    const again = planner.plan(unsplit(hostileOperation(14)));
    // If the operation were planned again, it would be queued behind this one.
    const order: string[] = [];
    await Promise.all([
      again.catch((reason: unknown) => {
        order.push('refused');
        expect(reason).toBe(hostile.status === 'rejected' && hostile.reason);
      }),
      planner.plan(unsplit('{ me { name } }')).then(() => order.push('planned')),
    ]);
    expect(order).toEqual(['refused', 'planned']);
  });

  test('fails at the memory limit, and the next request is planned', async () => {
    const planner = await open({ timeoutMs: 60_000, memoryBytes: 48 * 1024 ** 2 });
    await expect(planner.plan(unsplit(hostileOperation(20)))).rejects.toMatchObject({
      code: 'OPERATION_TOO_COMPLEX',
      message: 'The operation is too complex: planning it took more than 48 MB (planning.memory).',
      extensions: { limit: 'planning.memory', allowed: 48 * 1024 ** 2 },
    });
    expect(await planner.plan(unsplit('{ me { id } }'))).toMatchObject({ node: { operation: '{me{id}}' } });
    expect(await countThreads('tributary-plan')).toBe(1);
  });

  test('does not block other operations', async () => {
    const planner = await open({ timeoutMs: 600_000, spareAfterMs: 1 });
    let isHostileSettled = false;
    const hostile = planner.plan(unsplit(hostileOperation(14))).catch((error: unknown) => error);
    void hostile.then(() => {
      isHostileSettled = true;
    });
    expect(await planner.plan(unsplit('{ me { id } }'))).toMatchObject({ node: { operation: '{me{id}}' } });
    expect(isHostileSettled).toBe(false);
    expect(await countThreads('tributary-plan')).toBe(2);
    await planner.close();
    expect(await hostile).toMatchObject({ message: 'The query planner was closed.' });
    expect(await countThreads('tributary-plan')).toBe(0);
  });

  test('is refused with OVERLOADED when too many operations are queued', async () => {
    const planner = await open({ timeoutMs: 600_000, maxWaiting: 2, threads: 1 });
    const underWay = Promise.allSettled(
      [hostileOperation(14), '{ me { id } }', '{ me { name } }'].map((document) =>
        planner.plan(unsplit(document)),
      ),
    );
    await expect(planner.plan(unsplit('{ users { id } }'))).rejects.toMatchObject({
      code: 'OVERLOADED',
      status: 503,
      message: 'Too many operations wait to be planned. Try again in a moment.',
    });
    await planner.close();
    expect((await underWay).map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
  });

  test('is distinguished from a planner failure when the planner stops at its own limit', async () => {
    const planner = await open();
    await expect(planner.plan(unsplit(hostileOperation(30)))).rejects.toMatchObject({
      code: 'OPERATION_TOO_COMPLEX',
      message: 'The operation is too complex to be planned: its fragments expand to too many selections.',
      cause: { message: 'Exceeded maximum recursive selections in this operation' },
    });
  });
});

describe('a split', () => {
  const split = {
    document: `{ me { id ... @defer(label: "0") { name } } }`,
    shouldSplitDefer: true,
  };
  const hard = {
    ...split,
    document: hostileOperation(14).replace('...F0', '... @defer(label: "0") { ...F0 }'),
  };

  test('ends at the split timeout, and its thread stays usable', async () => {
    const planner = await open({ splitTimeoutMs: 100, timeoutMs: 600_000, spareAfterMs: 600_000 });
    await expect(planner.plan(hard)).rejects.toMatchObject({
      code: 'OPERATION_TOO_COMPLEX',
      message:
        'The operation is too complex to be planned: splitting off its deferred parts takes too long (planning.splitTimeout).',
      extensions: {},
    });
    const other = await open();
    for (const request of [unsplit(hostileOperation(6)), split]) {
      expect(await planner.plan(request)).toEqual(await other.plan(request));
    }
    expect(await countThreads('tributary-plan')).toBe(2);
  });
});

describe('the thread of the worker planner', () => {
  test('exits when the planner is closed, which rejects running and queued requests', async () => {
    const planner = await open();
    const plans = Promise.allSettled([
      planner.plan(unsplit(hostileOperation(14))),
      planner.plan(unsplit('{ me { id } }')),
    ]);
    await planner.close();
    const closed = {
      status: 'rejected',
      reason: { code: 'PLANNING_FAILED', message: 'The query planner was closed.' },
    };
    expect(await plans).toMatchObject([closed, closed]);
    expect(await Promise.allSettled([planner.plan(unsplit('{ me { id } }'))])).toMatchObject([closed]);
    expect(await countThreads('tributary-plan')).toBe(0);
  });

  test('is replaced when it exits while it is idle', async () => {
    const threads: PlannerThread[] = [];
    const failures: unknown[] = [];
    const planner = await open({
      startThread: async (...options) => {
        const thread = await startPlannerThread(...options);
        threads.push(thread);
        return thread;
      },
      onThreadFailure: (cause) => failures.push(cause),
    });
    await threads[0]?.terminate();
    expect(await planner.plan(unsplit('{ me { id } }'))).toMatchObject({ kind: 'QueryPlan' });
    expect([threads.length, failures]).toEqual([2, [new Error('The planner thread exited.')]]);
  });

  test('exits when the planner is closed while a thread is being replaced', async () => {
    const planner = await open({ timeoutMs: 200 });
    await planner.plan(unsplit(hostileOperation(14))).catch(() => {});
    await planner.close();
    expect(await countThreads('tributary-plan')).toBe(0);
  });

  test('keeps the process alive until it has exited, when a plan arrives while the planner is being closed', async () => {
    const file = join(import.meta.dirname, '../../../gateway/planning/workerPlanner.ts');
    const program = `import { createWorkerPlanner } from ${JSON.stringify(file)};
      const planner = await createWorkerPlanner(${JSON.stringify({ sdl, ...testPlanningLimits })});
      const plan = planner.plan(${JSON.stringify(unsplit('{ me { id } }'))}).catch(() => 'not planned');
      await new Promise(setImmediate);
      // Meanwhile the thread sends the plan.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500);
      await planner.close();
      console.log('closed', typeof (await plan));`;
    // Otherwise Node exits with code 13, because the top-level await never settles.
    const { stdout } = await promisify(execFile)(process.execPath, ['--eval', program]);
    expect(stdout).toMatch(/^closed (object|string)\n$/);
  });

  test.each([
    ['no SDL', 'type Query {', 'Syntax Error: Expected Name, found <EOF>. (line 1, column 13)'],
    ['no supergraph', 'type Query { me: ID }', 'Invalid supergraph: must be a core schema'],
  ])('exits after refusing %s with the location or the reason', async (_what, text, message) => {
    await expect(open({ sdl: text })).rejects.toThrow(message);
    expect(await countThreads('tributary-plan')).toBe(0);
  });

  test('exits when loading is aborted', async () => {
    const stop = new AbortController();
    const loading = open({ signal: stop.signal });
    stop.abort(new Error('overtaken'));
    await expect(loading).rejects.toThrow('overtaken');
    expect(await countThreads('tributary-plan')).toBe(0);
  });

  test('refuses a supergraph that exceeds the memory limit', async () => {
    await expect(open({ memoryBytes: 8 * 1024 ** 2 })).rejects.toThrow(
      'loading the supergraph needs more memory than 8 MB (planning.memory)',
    );
  });
});
