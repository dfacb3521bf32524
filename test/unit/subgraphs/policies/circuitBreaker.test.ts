import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { GatewayError } from '../../../../gateway/errors.ts';
import {
  type CallHealth,
  CircuitBreaker,
  type CircuitPermit,
  type CircuitState,
} from '../../../../gateway/subgraphs/policies/circuitBreaker.ts';
import { CircuitBreakers, healthOf } from '../../../../gateway/subgraphs/policies/circuitBreakers.ts';
import type { SubgraphResponse } from '../../../../gateway/subgraphs/subgraphClient.ts';
import { FakeTimers } from '../../../harness/fakeTimers.ts';

const settings = { failureRatio: 0.5, minCalls: 4, window: 1_000, openFor: 500 } as const;

function open() {
  const clock = new FakeTimers();
  const states: CircuitState[] = [];
  const breaker: CircuitBreaker = new CircuitBreaker(settings, clock.now, () => states.push(breaker.state));
  const call = (health: CallHealth): void => {
    const permit = breaker.acquire();
    if (permit === undefined) throw new Error('the circuit breaker admits no call');
    breaker.record(permit, health, clock.now());
  };
  const fail = (times: number): void => {
    for (let n = 0; n < times; n++) call('failure');
  };
  return { clock, breaker, states, call, fail };
}

describe('a circuit breaker', () => {
  test('stays closed until enough calls were made', () => {
    const { breaker, fail } = open();
    fail(3);
    expect(breaker.state).toBe('closed');
    fail(1);
    expect(breaker.state).toBe('open');
    expect(breaker.acquire()).toBeUndefined();
  });

  test('stays closed below the failure ratio', () => {
    const { breaker, call, fail } = open();
    for (let n = 0; n < 5; n++) call('success');
    fail(4);
    expect(breaker.state).toBe('closed');
    fail(1);
    expect(breaker.state).toBe('open');
  });

  test('forgets failures that are older than the window', () => {
    const { clock, breaker, fail } = open();
    fail(3);
    clock.advance(1_100);
    fail(3);
    expect(breaker.state).toBe('closed');
  });

  test('ignores calls that no caller waited for', () => {
    const { breaker, call } = open();
    for (let n = 0; n < 10; n++) call('ignored');
    expect(breaker.state).toBe('closed');
  });

  test('admits one probe after openFor, and closes when it succeeds', () => {
    const { clock, breaker, states, fail } = open();
    fail(4);
    clock.advance(499);
    expect(breaker.admits).toBe(false);
    clock.advance(1);
    const probe = breaker.acquire() as CircuitPermit;
    expect([breaker.state, breaker.acquire()]).toStrictEqual(['half-open', undefined]);
    breaker.record(probe, 'success', clock.now());
    expect(states).toEqual(['open', 'closed']);
    fail(3);
    expect(breaker.state).toBe('closed');
  });

  test('opens again when the probe fails, counted from the start of the probe', () => {
    const { clock, breaker, fail } = open();
    fail(4);
    clock.advance(500);
    const probe = breaker.acquire() as CircuitPermit;
    clock.advance(200);
    breaker.record(probe, 'failure', clock.now());
    expect(breaker.state).toBe('open');
    clock.advance(300);
    expect(breaker.admits).toBe(true);
  });

  test('is half-open when openFor is over, also if nothing calls the subgraph', () => {
    const { clock, breaker, fail } = open();
    fail(4);
    clock.advance(499);
    expect(breaker.state).toBe('open');
    clock.advance(1);
    expect(breaker.state).toBe('half-open');
  });

  test('reports that it has opened and closed once, however many probes fail between', () => {
    const { clock, states, call, fail } = open();
    fail(4);
    for (let n = 0; n < 3; n++) {
      clock.advance(500);
      call('failure');
    }
    clock.advance(500);
    call('success');
    expect(states).toEqual(['open', 'closed']);
  });

  test('admits another probe at once when no caller waited for the first one', () => {
    const { clock, breaker, fail } = open();
    fail(4);
    clock.advance(500);
    breaker.record(breaker.acquire() as CircuitPermit, 'ignored', clock.now());
    expect(breaker.acquire()).toBeDefined();
  });

  test('admits another probe when the first one hangs for openFor, and ignores the failure of the first', () => {
    const { clock, breaker, fail } = open();
    fail(4);
    clock.advance(500);
    const hanging = breaker.acquire() as CircuitPermit;
    clock.advance(500);
    const second = breaker.acquire() as CircuitPermit;
    breaker.record(hanging, 'failure', clock.now());
    expect(breaker.state).toBe('half-open');
    breaker.record(second, 'success', clock.now());
    expect(breaker.state).toBe('closed');
  });

  test('closes when a probe succeeds after another one was sent, so that responses may take longer than openFor', () => {
    const { clock, breaker, states, fail } = open();
    fail(4);
    clock.advance(500);
    const slow = breaker.acquire() as CircuitPermit;
    clock.advance(500);
    const second = breaker.acquire() as CircuitPermit;
    clock.advance(100);
    breaker.record(slow, 'success', clock.now());
    expect(states).toEqual(['open', 'closed']);
    // The circuit has closed already.
    breaker.record(second, 'success', clock.now());
    expect(breaker.state).toBe('closed');
  });

  test('ignores the success of a probe from before a later probe failed', () => {
    const { clock, breaker, fail } = open();
    fail(4);
    clock.advance(500);
    const slow = breaker.acquire() as CircuitPermit;
    clock.advance(500);
    breaker.record(breaker.acquire() as CircuitPermit, 'failure', clock.now());
    clock.advance(500);
    breaker.acquire();
    breaker.record(slow, 'success', clock.now());
    expect(breaker.state).toBe('half-open');
  });

  test('ignores the ends of calls that were sent before it opened', () => {
    const { clock, breaker, fail } = open();
    const before = breaker.acquire() as CircuitPermit;
    fail(4);
    clock.advance(500);
    breaker.acquire();
    breaker.record(before, 'success', clock.now());
    expect(breaker.state).toBe('half-open');
  });

  test('for any sequence of events: admits nothing while open, and one probe per openFor while half-open', () => {
    const step = fc.oneof(
      fc.record({ do: fc.constant('acquire' as const) }),
      fc.record({
        do: fc.constant('record' as const),
        which: fc.nat(10),
        health: fc.constantFrom<CallHealth>('success', 'failure', 'failure', 'ignored'),
      }),
      fc.record({ do: fc.constant('advance' as const), ms: fc.nat(600) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const clock = new FakeTimers();
        const breaker = new CircuitBreaker(settings, clock.now);
        const pending: CircuitPermit[] = [];
        let [openedAt, probedAt] = [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY];
        for (const one of steps) {
          const before = breaker.state;
          if (one.do === 'advance') clock.advance(one.ms);
          else if (one.do === 'record') {
            const [permit] = pending.splice(one.which % Math.max(1, pending.length), 1);
            if (permit !== undefined) breaker.record(permit, one.health, clock.now());
            if (before === 'half-open' && breaker.state === 'half-open' && one.health === 'ignored')
              probedAt = Number.NEGATIVE_INFINITY;
          } else {
            const permit = breaker.acquire();
            if (permit === undefined) continue;
            pending.push(permit);
            if (before === 'closed') continue;
            // A failed probe keeps the circuit open for openFor from its own start.
            expect(clock.now()).toBeGreaterThanOrEqual(
              before === 'open' ? Math.min(openedAt, clock.now()) : 0,
            );
            expect(clock.now() - probedAt).toBeGreaterThanOrEqual(settings.openFor);
            probedAt = clock.now();
          }
          if (before === 'closed' && breaker.state === 'open') {
            openedAt = clock.now() + settings.openFor;
            probedAt = clock.now();
          }
          if (breaker.state === 'closed') probedAt = Number.NEGATIVE_INFINITY;
        }
      }),
    );
  });
});

const answered: SubgraphResponse = {
  data: { ok: true },
  errors: undefined,
  extensions: undefined,
  cacheControl: undefined,
  age: undefined,
  isEscapeFree: true,
};

const end = (result: SubgraphResponse | GatewayError, status: number | null = 200) => ({
  result,
  status: status ?? undefined,
  retryAfter: undefined,
});
const failed = (code: ConstructorParameters<typeof GatewayError>[0]) => new GatewayError(code, 'failed');

test.each([
  ['a response', end(answered), 'success'],
  ['a timeout', end(failed('SUBGRAPH_TIMEOUT'), null), 'failure'],
  ['a lost connection', end(failed('SUBGRAPH_UNREACHABLE'), null), 'failure'],
  ['an unreadable response', end(failed('SUBGRAPH_INVALID_RESPONSE')), 'failure'],
  ['a GraphQL response with status 500', end({ ...answered, failureStatus: 500 }, 500), 'failure'],
  ['a GraphQL response with status 400', end({ ...answered, failureStatus: 400 }, 400), 'success'],
  ['a refusal with status 403', end(failed('SUBGRAPH_ERROR'), 403), 'success'],
  ['status 429', end(failed('SUBGRAPH_ERROR'), 429), 'ignored'],
  ['a request that could not be created', end(failed('INTERNAL_SERVER_ERROR'), null), 'ignored'],
  [
    'an error without a path',
    end({ ...answered, data: null, errors: [{ message: 'no database' }] }),
    'failure',
  ],
  [
    'an error without a path and with status 400',
    end(
      { ...answered, data: null, failureStatus: 400, errors: [{ message: 'no', failureStatus: 400 }] },
      400,
    ),
    'success',
  ],
  [
    'a GraphQL response with status 429',
    end(
      { ...answered, data: null, failureStatus: 429, errors: [{ message: 'no', failureStatus: 429 }] },
      429,
    ),
    'ignored',
  ],
  [
    'a request error with status 200',
    end({ ...answered, data: null, errors: [{ message: 'no', isRequestError: true }] }),
    'success',
  ],
  [
    'an error without a path beside data',
    end({ ...answered, data: { ok: true }, errors: [{ message: 'deprecated' }] }),
    'success',
  ],
  ['a field error', end({ ...answered, data: null, errors: [{ message: 'no', path: ['ok'] }] }), 'success'],
  [
    'an invalid operation',
    end({
      ...answered,
      data: undefined,
      errors: [{ message: 'no', extensions: { code: 'GRAPHQL_VALIDATION_FAILED' } }],
    }),
    'success',
  ],
])('%s counts for the circuit breaker as it should', (_, attempt, expected) => {
  expect(healthOf(attempt)).toBe(expected);
});

describe('circuit breakers with one circuit for each coordinate', () => {
  const products = new Map([['items', ['Query.products']]]);
  const both = new Map([
    ['items', ['Query.products']],
    ['me', ['Query.viewer']],
  ]);
  const openAll = () => {
    const clock = new FakeTimers();
    const circuits = new CircuitBreakers({
      settings: { ...settings, scope: 'coordinate' },
      now: clock.now,
      onChange: () => {},
    });
    return { clock, circuits };
  };
  const fieldError = end({ ...answered, errors: [{ message: 'no', path: ['items', 0] }] });

  test('open the circuit of a field that fails, and of no other', () => {
    const { clock, circuits } = openAll();
    for (let n = 0; n < 4; n++) circuits.record(circuits.acquire(both) ?? [], fieldError, both, clock.now());
    expect(circuits.circuits.map(({ coordinate, breaker }) => [coordinate, breaker.state])).toEqual([
      ['Query.products', 'open'],
      ['Query.viewer', 'closed'],
    ]);
    expect(circuits.acquire(products)).toBeUndefined();
    expect(circuits.acquire(both)).toBeUndefined();
    expect(circuits.acquire(new Map([['me', ['Query.viewer']]]))).toBeDefined();
    expect(circuits.state).toBe('open');
  });

  test('count a failure of the whole response for every coordinate', () => {
    const { clock, circuits } = openAll();
    const lost = end(failed('SUBGRAPH_UNREACHABLE'), null);
    for (let n = 0; n < 4; n++) circuits.record(circuits.acquire(both) ?? [], lost, both, clock.now());
    expect(circuits.circuits.map(({ breaker }) => breaker.state)).toEqual(['open', 'open']);
  });

  test('do not count field errors that say that the request was at fault', () => {
    const { clock, circuits } = openAll();
    const errors = [{ message: 'no', path: ['items'], extensions: { code: 'BAD_USER_INPUT' } }];
    for (let n = 0; n < 9; n++)
      circuits.record(circuits.acquire(products) ?? [], end({ ...answered, errors }), products, clock.now());
    expect(circuits.state).toBe('closed');
  });

  test('do not report a field with an open circuit that nothing calls any more, while others are called', () => {
    const { clock, circuits } = openAll();
    const viewer = new Map([['me', ['Query.viewer']]]);
    const callViewer = (): void =>
      circuits.record(circuits.acquire(viewer) ?? [], end(answered), viewer, clock.now());
    for (let n = 0; n < 4; n++)
      circuits.record(circuits.acquire(products) ?? [], fieldError, products, clock.now());
    clock.advance(settings.openFor + settings.window);
    callViewer();
    expect(circuits.state).toBe('half-open');
    clock.advance(1);
    callViewer();
    expect([circuits.state, circuits.circuits.map(({ coordinate }) => coordinate)]).toEqual([
      'closed',
      ['Query.viewer'],
    ]);
    circuits.record(circuits.acquire(products) ?? [], fieldError, products, clock.now());
    expect(circuits.state).toBe('open');
  });

  test('report an open circuit of the whole subgraph for as long as nothing calls it', () => {
    const clock = new FakeTimers();
    const whole = new CircuitBreakers({
      settings: { ...settings, scope: 'subgraph' },
      now: clock.now,
      onChange: () => {},
    });
    const lost = end(failed('SUBGRAPH_UNREACHABLE'), null);
    for (let n = 0; n < 4; n++) whole.record(whole.acquire(undefined) ?? [], lost, undefined, clock.now());
    clock.advance(60_000);
    expect(whole.state).toBe('half-open');
  });
});
