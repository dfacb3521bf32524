import { afterEach, describe, expect, test } from '@jest/globals';
import { buildSchema, parse } from 'graphql';
import { readSupergraphNames } from '../../../gateway/planning/supergraphNames.ts';
import { ThreadStartError } from '../../../gateway/planning/threadStartError.ts';
import { loadSupergraph, supergraphId } from '../../../gateway/supergraph/loadSupergraph.ts';
import type { SupergraphSourceListener } from '../../../gateway/supergraph/sources/supergraphSource.ts';
import type { Supergraph } from '../../../gateway/supergraph/supergraph.ts';
import {
  SupergraphHolder,
  type SupergraphHolderOptions,
} from '../../../gateway/supergraph/supergraphHolder.ts';
import { composeSubgraphs, federationLink } from '../../harness/composeSubgraphs.ts';
import { countThreads } from '../../harness/countThreads.ts';
import { FakeTimers } from '../../harness/fakeTimers.ts';
import { testPlanningLimits } from '../../harness/testPlanningLimits.ts';
import { waitForTurns } from '../../harness/waitForTurns.ts';

const opened: SupergraphHolder[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((holder) => holder.close()));
});

const schemaText = 'type Query { a: Int }';
const apiSchema = buildSchema(schemaText);
const names = readSupergraphNames(parse(schemaText));

/** Creates snapshots without loading. `log` records closed planners. A load with a gate in `gates` ends when the gate opens. */
function open(options: Partial<SupergraphHolderOptions> & { gates?: Map<string, Promise<void>> } = {}) {
  const log: string[] = [];
  const { gates = new Map(), ...rest } = options;
  const holder = new SupergraphHolder({
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
        names,
      };
    },
    ...rest,
  });
  opened.push(holder);
  return { holder, log };
}

describe('the supergraph holder', () => {
  test('has no supergraph before the first one is loaded', () => {
    const { holder } = open();
    expect([holder.current(), holder.acquire(), holder.problem()]).toStrictEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });

  test('calls listeners after each switch until they are removed', async () => {
    const { holder } = open();
    const seen: unknown[] = [];
    const stop = holder.onChange(({ sdl }) => seen.push([sdl, holder.current()?.sdl]));
    await holder.submit('one');
    await holder.submit('two');
    stop();
    await holder.submit('three');
    expect(seen).toEqual([
      ['one', 'one'],
      ['two', 'two'],
    ]);
    expect(holder.current()?.sdl).toBe('three');
  });

  test('keeps the planner of a snapshot until the last operation on it has ended', async () => {
    const { holder, log } = open();
    await holder.submit('one');
    const first = holder.acquire();
    const second = holder.acquire();
    await holder.submit('two');
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

  test('does not load the same SDL again', async () => {
    const { holder, log } = open();
    await Promise.all([holder.submit('one'), holder.submit('one')]);
    await holder.submit('one');
    expect(log).toEqual(['load one']);
  });

  test('keeps the current supergraph when a new one is refused, and has the reason until it is resolved', async () => {
    const { holder, log } = open();
    const problems: unknown[] = [];
    holder.onProblem((message) => problems.push(message));
    await holder.submit('one');
    await holder.submit('bad two');
    expect([holder.current()?.sdl, holder.problem()]).toEqual(['one', 'bad two is refused']);
    await holder.submit('one');
    expect([holder.current()?.sdl, holder.problem()]).toStrictEqual(['one', undefined]);
    await holder.submit('bad three');
    await holder.submit('four');
    expect([holder.current()?.sdl, holder.problem()]).toStrictEqual(['four', undefined]);
    expect(problems).toStrictEqual(['bad two is refused', undefined, 'bad three is refused']);
    expect(log).toEqual(['load one', 'load bad two', 'load bad three', 'load four', 'close one']);
  });

  test('switches to the newest submitted supergraph, however long others take to load', async () => {
    const slow = Promise.withResolvers<void>();
    const { holder, log } = open({ gates: new Map([['two', slow.promise]]) });
    await holder.submit('one');
    const overtaken = holder.submit('two');
    await holder.submit('three');
    slow.resolve();
    await overtaken;
    expect(holder.current()?.sdl).toBe('three');
    expect(log).toEqual(['load one', 'load two', 'abort two', 'load three', 'close one', 'close two']);
  });

  test('completes every second load while supergraphs arrive faster than they load', async () => {
    const gates = new Map(['two', 'three'].map((sdl) => [sdl, Promise.withResolvers<void>()]));
    const { holder, log } = open({ gates: new Map([...gates].map(([sdl, { promise }]) => [sdl, promise])) });
    await holder.submit('one');
    const submitted = ['two', 'three', 'four', 'five'].map((sdl) => holder.submit(sdl));
    gates.get('two')?.resolve();
    await waitForTurns();
    expect(holder.current()?.sdl).toBe('one');
    gates.get('three')?.resolve();
    await Promise.all(submitted);
    expect(holder.current()?.sdl).toBe('five');
    expect(log.filter((entry) => !entry.startsWith('close'))).toEqual([
      'load one',
      'load two',
      'abort two',
      'load three',
      'load five',
    ]);
  });

  test('continues the load under way when its supergraph is submitted again in place of one that waits for it', async () => {
    const gates = new Map(['one', 'bad two'].map((sdl) => [sdl, Promise.withResolvers<void>()]));
    const { holder, log } = open({ gates: new Map([...gates].map(([sdl, { promise }]) => [sdl, promise])) });
    const submitted = ['one', 'bad two', 'three', 'bad two'].map((sdl) => holder.submit(sdl));
    for (const { resolve } of gates.values()) resolve();
    await Promise.all(submitted);
    expect([holder.current(), holder.problem()]).toStrictEqual([undefined, 'bad two is refused']);
    expect(log.filter((entry) => !entry.startsWith('close'))).toEqual([
      'load one',
      'abort one',
      'load bad two',
    ]);
  });

  test('keeps the current supergraph when it is submitted again while another one waits for a load', async () => {
    const slow = Promise.withResolvers<void>();
    const { holder, log } = open({ gates: new Map([['three', slow.promise]]) });
    await holder.submit('one');
    const submitted = ['two', 'three', 'four', 'one'].map((sdl) => holder.submit(sdl));
    slow.resolve();
    await Promise.all(submitted);
    expect(holder.current()?.sdl).toBe('one');
    expect(log.filter((entry) => !entry.startsWith('close'))).toEqual([
      'load one',
      'load two',
      'abort two',
      'load three',
      'abort three',
    ]);
  });

  test('does not load a supergraph again for which no thread was started when a newer one waits for its load', async () => {
    const timers = new FakeTimers();
    const slow = Promise.withResolvers<void>();
    const loads: string[] = [];
    const { holder } = open({
      timers,
      load: async (sdl) => {
        loads.push(sdl);
        if (sdl === 'three') throw new Error('refused');
        await slow.promise;
        throw new ThreadStartError('no thread');
      },
    });
    const submitted = ['one', 'two', 'three'].map((sdl) => holder.submit(sdl));
    slow.resolve();
    await Promise.all(submitted);
    expect([holder.problem(), loads]).toEqual(['refused', ['one', 'two', 'three']]);
    expect(timers.pendingMs()).toEqual([]);
  });

  test('does not supersede a loading supergraph by a resubmitted one', async () => {
    const slow = Promise.withResolvers<void>();
    const { holder, log } = open({ gates: new Map([['two', slow.promise]]) });
    await holder.submit('bad one');
    const newer = holder.submit('two');
    const again = holder.resubmit('bad one');
    slow.resolve();
    await Promise.all([newer, again]);
    expect([holder.current()?.sdl, holder.problem()]).toStrictEqual(['two', undefined]);
    expect(log).toEqual(['load bad one', 'load two']);
    await holder.resubmit('three');
    expect(holder.current()?.sdl).toBe('three');
  });

  test('keeps the current supergraph when it is submitted again while another one is being loaded', async () => {
    const slow = Promise.withResolvers<void>();
    const { holder, log } = open({ gates: new Map([['two', slow.promise]]) });
    await holder.submit('one');
    const overtaken = holder.submit('two');
    await holder.submit('one');
    slow.resolve();
    await overtaken;
    expect(holder.current()?.sdl).toBe('one');
    expect(log).toEqual(['load one', 'load two', 'abort two', 'close two']);
  });

  test('loads a supergraph again later when the system started no thread for it, unless another one is submitted', async () => {
    const timers = new FakeTimers();
    const loads: string[] = [];
    const { holder } = open({
      timers,
      load: (sdl) => {
        loads.push(sdl);
        return Promise.reject(new ThreadStartError(new Error('EAGAIN')));
      },
    });
    await holder.submit('one');
    expect(holder.refusal()).toBe(
      'the system started no thread for the planner (EAGAIN); check the limits of processes and memory',
    );
    const retry = () => timers.fire(timers.pendingMs()[0] as number);
    retry();
    await waitForTurns();
    await holder.submit('two');
    retry();
    await waitForTurns();
    expect(loads).toEqual(['one', 'one', 'two', 'two']);
    await holder.close();
    expect(timers.pendingMs()).toEqual([]);
  });

  test('does not load a refused supergraph again', async () => {
    const timers = new FakeTimers();
    const { holder } = open({ timers });
    await holder.submit('bad');
    expect(timers.pendingMs()).toEqual([]);
  });

  test('warms a supergraph before the switch, and switches when warming fails', async () => {
    const warmings: unknown[] = [];
    const { holder } = open({
      warm: async (next, previous) => {
        warmings.push([next.sdl, previous?.sdl, holder.current()?.sdl]);
        throw new Error('cold');
      },
    });
    await holder.submit('one');
    await holder.submit('two');
    expect(warmings).toStrictEqual([
      ['one', undefined, undefined],
      ['two', 'one', 'one'],
    ]);
    expect([holder.current()?.sdl, holder.problem()]).toStrictEqual(['two', undefined]);
  });

  test('switches when the warm-up timeout expires, and aborts warming', async () => {
    const timers = new FakeTimers();
    const signals: AbortSignal[] = [];
    const { holder } = open({
      timers,
      warmTimeoutMs: 30_000,
      warm: (_next, previous, signal) => {
        signals.push(signal);
        return previous === undefined ? Promise.resolve() : new Promise(() => {});
      },
    });
    await holder.submit('one');
    const offered = holder.submit('two');
    await timers.waitForTimer(30_000);
    await timers.waitForTimer(30_000);
    expect([holder.current()?.sdl, signals[1]?.aborted]).toEqual(['one', false]);
    timers.fire(30_000);
    await offered;
    expect([holder.current()?.sdl, signals[1]?.aborted]).toEqual(['two', true]);
    expect(timers.pendingMs()).toEqual([]);
  });

  test('does not switch to a supergraph when a newer one is submitted during its warm-up', async () => {
    const retired: string[] = [];
    const { holder, log } = open({
      warm: (next) => (next.sdl === 'two' ? new Promise(() => {}) : Promise.resolve()),
      onRetired: ({ sdl }) => retired.push(sdl),
    });
    await holder.submit('one');
    const overtaken = holder.submit('two');
    await waitForTurns();
    await holder.submit('three');
    await overtaken;
    expect([holder.current()?.sdl, retired]).toEqual(['three', ['two', 'one']]);
    expect(log).toEqual(['load one', 'load two', 'abort two', 'load three', 'close two', 'close one']);
  });

  test('retires the first of two snapshots of one SDL while the second is current', async () => {
    const retired: Supergraph[] = [];
    const { holder, log } = open({ onRetired: (supergraph) => retired.push(supergraph) });
    await holder.submit('one');
    const lease = holder.acquire();
    await holder.submit('two');
    await holder.submit('one');
    lease?.release();
    expect([log.at(-1), retired.map(({ sdl }) => sdl)]).toEqual(['close one', ['two', 'one']]);
    expect(retired[1]).not.toBe(holder.current());
  });

  test('reports when a snapshot is retired', async () => {
    const retired: string[] = [];
    const { holder } = open({ onRetired: ({ sdl }) => retired.push(sdl) });
    await holder.submit('one');
    await holder.submit('two');
    expect(retired).toEqual(['one']);
  });

  test('closes all planners when it is closed, including those of loading and leased snapshots', async () => {
    const slow = Promise.withResolvers<void>();
    const { holder, log } = open({ gates: new Map([['three', slow.promise]]) });
    await holder.submit('one');
    const lease = holder.acquire();
    await holder.submit('two');
    void holder.submit('three');
    const closed = holder.close();
    slow.resolve();
    await closed;
    lease?.release();
    await holder.submit('four');
    expect(holder.current()).toBeUndefined();
    expect(log.slice(3)).toEqual(['abort three', 'close three', 'close one', 'close two']);
  });
});

describe('the source of a supergraph holder', () => {
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

  test('has its first SDL loaded when start resolves', async () => {
    const { holder } = open();
    const { first } = source();
    await holder.start(first((to) => to.onSdl('one')));
    expect(holder.current()?.sdl).toBe('one');
  });

  test('without an SDL at first sets the problem, and is used as soon as it has one', async () => {
    const { holder } = open();
    const { first, say, state } = source();
    const reported: unknown[] = [];
    holder.onProblem((...report) => reported.push(report));
    await holder.start(first((to) => to.onProblem('no file')));
    expect([holder.current(), holder.problem()]).toStrictEqual([undefined, 'no file']);
    const changed = new Promise((resolve) => holder.onChange(resolve));
    say().onSdl('one');
    await changed;
    expect([holder.current()?.sdl, holder.problem()]).toStrictEqual(['one', undefined]);
    say().onProblem('no file again');
    expect([holder.current()?.sdl, holder.problem()]).toEqual(['one', 'no file again']);
    expect([holder.refusal(), holder.sourceProblem()]).toStrictEqual([undefined, 'no file again']);
    say().onSdl('one');
    say().onSdl('one');
    expect(holder.problem()).toBeUndefined();
    expect(reported).toStrictEqual([
      ['no file', 'source'],
      [undefined, 'source'],
      ['no file again', 'source'],
      [undefined, 'source'],
    ]);
    await holder.close();
    expect(state.isStopped).toBe(true);
  });

  test('refuses SDLs that do not compose, also when an older supergraph comes into use meanwhile', async () => {
    const slow = Promise.withResolvers<void>();
    const { holder } = open({ gates: new Map([['one', slow.promise]]) });
    const { first, say } = source();
    const reported: unknown[] = [];
    holder.onProblem((...report) => reported.push(report));
    const started = holder.start(first((to) => to.onSdl('one')));
    await waitForTurns();
    say().onProblem('a subgraph is down');
    say().onRefusal('they do not compose');
    slow.resolve();
    await started;
    expect([holder.current()?.sdl, holder.refusal(), holder.sourceProblem()]).toStrictEqual([
      'one',
      'they do not compose',
      undefined,
    ]);
    say().onSdl('one');
    expect(holder.problem()).toBeUndefined();
    expect(reported).toStrictEqual([
      ['a subgraph is down', 'source'],
      [undefined, 'source'],
      ['they do not compose', 'load'],
      [undefined, 'load'],
    ]);
  });

  test('is not started after the holder was closed', async () => {
    const { holder } = open();
    const { first, say } = source();
    await holder.close();
    await holder.start(first(() => {}));
    expect(say).toThrow('not started');
  });
});

describe('the supergraph holder with real planners', () => {
  const load = (sdl: string, signal: AbortSignal) =>
    loadSupergraph({ sdl, planning: testPlanningLimits, signal });
  const version = (field: string) =>
    composeSubgraphs([
      {
        name: 'only',
        url: 'http://only.test',
        sdl: `${federationLink} type Query { ${field}: Int }`,
      },
    ]);

  test('leaves only the thread of the last of several supergraphs in quick succession', async () => {
    const closed: Promise<void>[] = [];
    const { holder } = open({
      load: async (sdl, signal) => {
        const loaded = await load(sdl, signal);
        const { planner } = loaded;
        const close = () => {
          const closing = planner.close();
          closed.push(closing);
          return closing;
        };
        return { ...loaded, planner: { ...planner, plan: planner.plan.bind(planner), close } };
      },
    });
    const offers = ['a', 'b', 'c', 'd', 'e'].map(async (field) => holder.submit(await version(field)));
    await Promise.all(offers);
    await Promise.all(closed);
    expect(holder.current()?.apiSchema.getQueryType()?.getFields()).toHaveProperty('e');
    expect(await countThreads('tributary-plan')).toBe(1);
  });

  test('plans an operation that began before the switch', async () => {
    const { holder } = open({ load });
    await holder.submit(await version('old'));
    const lease = holder.acquire();
    await holder.submit(await version('new'));
    expect(
      await lease?.supergraph.planner.plan({ document: '{ old }', shouldSplitDefer: false }),
    ).toMatchObject({
      node: { operation: '{old}' },
    });
    lease?.release();
  });

  test('keeps the old supergraph and has the reason when a required feature is refused', async () => {
    const { holder } = open({ load });
    const good = await version('a');
    await holder.submit(good);
    await holder.submit(
      (await version('b')).replace(
        '@link(url: "https://specs.apollo.dev/join',
        '@link(url: "https://features.test/audit/v1.0", for: SECURITY) $&',
      ),
    );
    expect(holder.current()?.sdl).toBe(good);
    expect(holder.problem()).toContain('https://features.test/audit/v1.0 is not supported');
  });
});
