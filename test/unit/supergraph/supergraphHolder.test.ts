import { afterEach, describe, expect, test } from '@jest/globals';
import { buildSchema } from 'graphql';
import { loadSupergraph, supergraphId } from '../../../gateway/supergraph/loadSupergraph.ts';
import type { SupergraphSourceListener } from '../../../gateway/supergraph/sources/supergraphSource.ts';
import type { Supergraph } from '../../../gateway/supergraph/supergraph.ts';
import {
  createSupergraphHolder,
  type SupergraphHolder,
  type SupergraphHolderOptions,
} from '../../../gateway/supergraph/supergraphHolder.ts';
import { compose, federation } from '../../fixtures/supergraphs/compose.ts';
import { createManualTimers } from '../../fixtures/supergraphs/manualTimers.ts';
import { threadsNamed } from '../../fixtures/supergraphs/threads.ts';
import { turns } from '../../harness/clock.ts';
import { testPlanning } from '../../harness/planningLimits.ts';

const opened: SupergraphHolder[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((holder) => holder.close()));
});

const apiSchema = buildSchema('type Query { a: Int }');

/** Loads nothing; `log` says whose planner was closed, and loads that wait for `gates` end when they open. */
function open(options: Partial<SupergraphHolderOptions> & { gates?: Map<string, Promise<void>> } = {}) {
  const log: string[] = [];
  const { gates = new Map(), ...rest } = options;
  const holder = createSupergraphHolder({
    load: async (sdl, signal): Promise<Supergraph> => {
      log.push(`load ${sdl}`);
      signal.addEventListener('abort', () => log.push(`abort ${sdl}`));
      await gates.get(sdl);
      if (sdl.startsWith('bad')) throw new Error(`${sdl} is refused`);
      return {
        id: supergraphId(sdl),
        sdl,
        apiSchema,
        subgraphs: new Map(),
        overrides: new Map(),
        planner: {
          plan: async () => ({ kind: 'QueryPlan' }),
          close: async () => void log.push(`close ${sdl}`),
        },
      };
    },
    ...rest,
  });
  opened.push(holder);
  return { holder, log };
}

describe('the supergraph in use', () => {
  test('is none before the first one is loaded', () => {
    const { holder } = open();
    expect([holder.current(), holder.acquire(), holder.problem()]).toEqual([undefined, undefined, undefined]);
  });

  test('is told to listeners after each switch, until they stop', async () => {
    const { holder } = open();
    const seen: unknown[] = [];
    const stop = holder.onChange(({ sdl }) => seen.push([sdl, holder.current()?.sdl]));
    await holder.offer('one');
    await holder.offer('two');
    stop();
    await holder.offer('three');
    expect(seen).toEqual([
      ['one', 'one'],
      ['two', 'two'],
    ]);
    expect(holder.current()?.sdl).toBe('three');
  });

  test('is kept until the last operation on it has ended', async () => {
    const { holder, log } = open();
    await holder.offer('one');
    const first = holder.acquire();
    const second = holder.acquire();
    await holder.offer('two');
    first?.release();
    first?.release();
    expect([first?.supergraph.sdl, second?.supergraph.sdl, holder.current()?.sdl]).toEqual([
      'one',
      'one',
      'two',
    ]);
    expect(log).toEqual(['load one', 'load two']);
    second?.release();
    expect(log).toEqual(['load one', 'load two', 'close one']);
  });

  test('is not loaded again for the same SDL', async () => {
    const { holder, log } = open();
    await Promise.all([holder.offer('one'), holder.offer('one')]);
    await holder.offer('one');
    expect(log).toEqual(['load one']);
  });

  test('stays when a new one is refused, and the reason can be read until all is well', async () => {
    const { holder, log } = open();
    const problems: string[] = [];
    holder.onProblem((message) => problems.push(message));
    await holder.offer('one');
    await holder.offer('bad two');
    expect([holder.current()?.sdl, holder.problem()]).toEqual(['one', 'bad two is refused']);
    await holder.offer('one');
    expect([holder.current()?.sdl, holder.problem()]).toEqual(['one', undefined]);
    await holder.offer('bad three');
    await holder.offer('four');
    expect([holder.current()?.sdl, holder.problem()]).toEqual(['four', undefined]);
    expect(problems).toEqual(['bad two is refused', 'bad three is refused']);
    expect(log).toEqual(['load one', 'load bad two', 'load bad three', 'load four', 'close one']);
  });

  test('is the newest that was offered, however long the others take', async () => {
    const slow = Promise.withResolvers<void>();
    const { holder, log } = open({ gates: new Map([['two', slow.promise]]) });
    await holder.offer('one');
    const overtaken = holder.offer('two');
    await holder.offer('three');
    slow.resolve();
    await overtaken;
    expect(holder.current()?.sdl).toBe('three');
    expect(log).toEqual(['load one', 'load two', 'abort two', 'load three', 'close one', 'close two']);
  });

  test('is not overtaken by one that is tried once more', async () => {
    const slow = Promise.withResolvers<void>();
    const { holder, log } = open({ gates: new Map([['two', slow.promise]]) });
    await holder.offer('bad one');
    const newer = holder.offer('two');
    const again = holder.offerAgain('bad one');
    slow.resolve();
    await Promise.all([newer, again]);
    expect([holder.current()?.sdl, holder.problem()]).toEqual(['two', undefined]);
    expect(log).toEqual(['load bad one', 'load two']);
    await holder.offerAgain('three');
    expect(holder.current()?.sdl).toBe('three');
  });

  test('stays when it is offered again while another one is being loaded', async () => {
    const slow = Promise.withResolvers<void>();
    const { holder, log } = open({ gates: new Map([['two', slow.promise]]) });
    await holder.offer('one');
    const overtaken = holder.offer('two');
    await holder.offer('one');
    slow.resolve();
    await overtaken;
    expect(holder.current()?.sdl).toBe('one');
    expect(log).toEqual(['load one', 'load two', 'abort two', 'close two']);
  });

  test('is warmed before the switch, and a warming that fails does not hold it up', async () => {
    const warmings: unknown[] = [];
    const { holder } = open({
      warm: async (next, previous) => {
        warmings.push([next.sdl, previous?.sdl, holder.current()?.sdl]);
        throw new Error('cold');
      },
    });
    await holder.offer('one');
    await holder.offer('two');
    expect(warmings).toEqual([
      ['one', undefined, undefined],
      ['two', 'one', 'one'],
    ]);
    expect([holder.current()?.sdl, holder.problem()]).toEqual(['two', undefined]);
  });

  test('is switched to when the time for warming is over, and nothing goes on warming it', async () => {
    const timers = createManualTimers();
    const signals: AbortSignal[] = [];
    const { holder } = open({
      timers,
      warmTimeoutMs: 30_000,
      warm: (_next, previous, signal) => {
        signals.push(signal);
        return previous === undefined ? Promise.resolve() : new Promise(() => {});
      },
    });
    await holder.offer('one');
    const offered = holder.offer('two');
    await timers.started(30_000);
    await timers.started(30_000);
    expect([holder.current()?.sdl, signals[1]?.aborted]).toEqual(['one', false]);
    timers.fire(30_000);
    await offered;
    expect([holder.current()?.sdl, signals[1]?.aborted]).toEqual(['two', true]);
    expect(timers.waiting()).toEqual([]);
  });

  test('is not switched to when a newer one comes while it is being warmed', async () => {
    const retired: string[] = [];
    const { holder, log } = open({
      warm: (next) => (next.sdl === 'two' ? new Promise(() => {}) : Promise.resolve()),
      onRetired: ({ sdl }) => retired.push(sdl),
    });
    await holder.offer('one');
    const overtaken = holder.offer('two');
    await turns();
    await holder.offer('three');
    await overtaken;
    expect([holder.current()?.sdl, retired]).toEqual(['three', ['two', 'one']]);
    expect(log).toEqual(['load one', 'load two', 'abort two', 'load three', 'close two', 'close one']);
  });

  test('keeps what was made for it when it is used a second time while the first time is not over', async () => {
    const retired: string[] = [];
    const { holder, log } = open({ onRetired: ({ sdl }) => retired.push(sdl) });
    await holder.offer('one');
    const lease = holder.acquire();
    await holder.offer('two');
    await holder.offer('one');
    lease?.release();
    expect([log.at(-1), retired]).toEqual(['close one', ['two']]);
  });

  test('tells when a snapshot is out of use', async () => {
    const retired: string[] = [];
    const { holder } = open({ onRetired: ({ sdl }) => retired.push(sdl) });
    await holder.offer('one');
    await holder.offer('two');
    expect(retired).toEqual(['one']);
  });

  test('is gone after closing, with what is being loaded and what still runs', async () => {
    const slow = Promise.withResolvers<void>();
    const { holder, log } = open({ gates: new Map([['three', slow.promise]]) });
    await holder.offer('one');
    const lease = holder.acquire();
    await holder.offer('two');
    void holder.offer('three');
    const closed = holder.close();
    slow.resolve();
    await closed;
    lease?.release();
    await holder.offer('four');
    expect(holder.current()).toBeUndefined();
    expect(log.slice(3)).toEqual(['abort three', 'close three', 'close one', 'close two']);
  });
});

describe('a source', () => {
  function source() {
    let listener: SupergraphSourceListener | undefined;
    const state = { isStopped: false };
    return {
      state,
      say: () => {
        if (listener === undefined) throw new Error('not started');
        return listener;
      },
      first: (tell: (to: SupergraphSourceListener) => void) => ({
        start: async (to: SupergraphSourceListener) => {
          listener = to;
          tell(to);
        },
        stop: async () => {
          state.isStopped = true;
        },
      }),
    };
  }

  test('has had its first SDL loaded when the holder has started', async () => {
    const { holder } = open();
    const { first } = source();
    await holder.start(first((to) => to.onSdl('one')));
    expect(holder.current()?.sdl).toBe('one');
  });

  test('that gives nothing at first leaves its reason, and is taken from as soon as it does', async () => {
    const { holder } = open();
    const { first, say, state } = source();
    await holder.start(first((to) => to.onProblem('no file')));
    expect([holder.current(), holder.problem()]).toEqual([undefined, 'no file']);
    const changed = new Promise((resolve) => holder.onChange(resolve));
    say().onSdl('one');
    await changed;
    expect([holder.current()?.sdl, holder.problem()]).toEqual(['one', undefined]);
    say().onProblem('no file again');
    expect([holder.current()?.sdl, holder.problem()]).toEqual(['one', 'no file again']);
    say().onSdl('one');
    expect(holder.problem()).toBeUndefined();
    await holder.close();
    expect(state.isStopped).toBe(true);
  });
});

describe('with real planners', () => {
  const load = (sdl: string, signal: AbortSignal) => loadSupergraph({ sdl, planning: testPlanning, signal });
  const version = (field: string, rest = '') =>
    compose([
      { name: 'only', url: 'http://only.test', sdl: `${federation} type Query { ${field}: Int } ${rest}` },
    ]);

  test('offers in quick succession leave the thread of the last one', async () => {
    const { holder } = open({ load });
    const offers = ['a', 'b', 'c', 'd', 'e'].map(async (field) => holder.offer(await version(field)));
    await Promise.all(offers);
    expect(holder.current()?.apiSchema.getQueryType()?.getFields()).toHaveProperty('e');
    expect(await threadsNamed('tributary-plan')).toBe(1);
  });

  test('an operation that began before the switch still plans', async () => {
    const { holder } = open({ load });
    await holder.offer(await version('old'));
    const lease = holder.acquire();
    await holder.offer(await version('new'));
    expect(await lease?.supergraph.planner.plan({ document: '{ old }', defer: false })).toMatchObject({
      node: { operation: '{old}' },
    });
    lease?.release();
  });

  test('the reason why @requiresScopes is refused can be read, and the old supergraph stays', async () => {
    const { holder } = open({ load });
    const good = await version('a');
    await holder.offer(good);
    await holder.offer(
      await compose([
        {
          name: 'only',
          url: 'http://only.test',
          sdl: `${federation} type Query { a: Int @requiresScopes(scopes: [["a"]]) }`,
        },
      ]),
    );
    expect(holder.current()?.sdl).toBe(good);
    expect(holder.problem()).toContain('@requiresScopes is not enforced by this version of Tributary');
  });
});
