import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { GatewayError } from '../../../../gateway/errors.ts';
import type { CallPriority } from '../../../../gateway/subgraphs/policies/callPriority.ts';
import { RaisablePriority } from '../../../../gateway/subgraphs/policies/callPriority.ts';
import {
  type Exchange,
  json,
  type ScriptedSubgraph,
  startScriptedSubgraph,
} from '../../../harness/scriptedSubgraph.ts';
import { waitForTurns } from '../../../harness/waitForTurns.ts';
import {
  type ClientFixture,
  createClientFixture,
  describeFailure,
  type SentRequest,
} from '../clientFixture.ts';

let subgraph: ScriptedSubgraph;
let under: ClientFixture;
/** Calls that the subgraph has not answered. */
let open: Exchange[];

beforeEach(async () => {
  subgraph = await startScriptedSubgraph();
  open = [];
  subgraph.setDefaultScript((exchange) => {
    open.push(exchange);
  });
});
afterEach(async () => {
  await under[Symbol.asyncDispose]();
  await subgraph.close();
});

/** A client of a subgraph that takes so many calls at once. */
function clientFor(max: number, queue = 100): void {
  under = createClientFixture(subgraph.url, { at: { connections: 4, concurrency: { max, queue } } });
}

const answerTo = json({ data: { ok: true } });

/** The subgraph answers what it has, again and again, until it has received so many calls and nothing is left. */
async function answerAll(count: number): Promise<void> {
  for (let received = 1; received <= count; received++) {
    await subgraph.waitForRequests(received);
    const exchange = open.shift();
    if (exchange !== undefined) await answerTo(exchange);
  }
}

const sent = (): string[] => subgraph.requests.map(({ body }) => body);
const of = (priority: CallPriority) => ({ priority, isDeferred: priority !== 'primary' });

/** A call that is under way until the subgraph answers it. */
async function occupy(body = 'first'): Promise<SentRequest> {
  const answer = under.send({ body });
  await subgraph.waitForRequests(1);
  return answer;
}

describe('calls to a subgraph that takes one call at a time', () => {
  test('start by priority, then by request priority, then by deadline, then in the order of arrival', async () => {
    clientFor(1);
    const soon = under.clock.now() + 100;
    await occupy();
    const answers = [
      under.send({ body: 'background', ...of('background') }),
      under.send({ body: 'normal', ...of('normal') }),
      under.send({ body: 'critical', ...of('critical') }),
      under.send({ body: 'primary, of a background request', requestPriority: 'background' }),
      under.send({ body: 'primary' }),
      under.send({ body: 'primary, later' }),
      under.send({ body: 'primary, and soon', deadline: soon }),
      under.send({ body: 'primary, for some soon', earliestDeadline: soon - 1 }),
      under.send({ body: 'primary, of a critical request', requestPriority: 'critical' }),
      under.send({ body: 'critical, of a critical request', requestPriority: 'critical', ...of('critical') }),
    ];
    await answerAll(11);
    await Promise.all(answers.map(({ outcome }) => outcome));
    expect(sent()).toEqual([
      'first',
      'primary, of a critical request',
      'primary, for some soon',
      'primary, and soon',
      'primary',
      'primary, later',
      'primary, of a background request',
      'critical, of a critical request',
      'critical',
      'normal',
      'background',
    ]);
    // One of each kind.
    expect(new Set(subgraph.requests.map(({ connection }) => connection)).size).toBe(2);
    expect(under.clock.pendingCount).toBe(0);
  });

  test('never overlap', async () => {
    clientFor(1);
    let most = 0;
    subgraph.setDefaultScript((exchange) => {
      open.push(exchange);
      most = Math.max(most, open.length);
    });
    const answers = Array.from({ length: 20 }, (_, number) =>
      under.send({ body: `${number}`, ...of(number % 2 === 0 ? 'primary' : 'normal') }),
    );
    await answerAll(20);
    await Promise.all(answers.map(({ outcome }) => outcome));
    expect(most).toBe(1);
  });

  test('have a whole attempt timeout from when they start, and send the remaining time of that moment', async () => {
    clientFor(1);
    const first = await occupy();
    const second = under.send({ body: 'second' });
    under.clock.advance(4_000);
    await answerAll(1);
    await first.outcome;
    await subgraph.waitForRequests(2);
    under.clock.advance(4_000);
    expect(second.callCount()).toBe(0);
    expect(subgraph.requests.map(({ headers }) => headers.get('tributary-deadline-ms'))).toEqual([
      '15000',
      '11000',
    ]);
    under.clock.advance(1_000);
    expect(await describeFailure(second)).toMatchObject({ code: 'SUBGRAPH_TIMEOUT' });
  });

  test('release their slot when they fail, are cancelled or time out', async () => {
    clientFor(1);
    const failed = await occupy();
    const cancelled = under.send({ body: 'cancelled' });
    const expiring = under.send({ body: 'late', deadline: under.clock.now() + 500 });
    const last = under.send({ body: 'last' });
    open.shift()?.reset();
    expect(await describeFailure(failed)).toMatchObject({ code: 'SUBGRAPH_UNREACHABLE' });
    await subgraph.waitForRequests(2);
    expect(sent()).toEqual(['first', 'late']);
    under.clock.advance(500);
    expect(await describeFailure(expiring)).toMatchObject({ code: 'DEADLINE_EXCEEDED' });
    await subgraph.waitForRequests(3);
    cancelled.cancel();
    await subgraph.waitForRequests(4);
    await answerTo(open.at(-1) as Exchange);
    expect(await last.outcome).toMatchObject({ data: { ok: true } });
    expect(sent()).toEqual(['first', 'late', 'cancelled', 'last']);
  });
});

describe('a queued call', () => {
  test('is never sent after its deadline, or when no request waits for it any more', async () => {
    clientFor(1);
    const first = await occupy();
    const expiring = under.send({ body: 'late', deadline: under.clock.now() + 100 });
    const left = under.send({ body: 'left' });
    const last = under.send({ body: 'last' });
    under.clock.advance(100);
    expect(await describeFailure(expiring)).toMatchObject({ code: 'DEADLINE_EXCEEDED', subgraph: 'reviews' });
    left.cancel();
    await answerAll(2);
    await Promise.all([first.outcome, last.outcome]);
    expect(sent()).toEqual(['first', 'last']);
    expect(left.callCount()).toBe(0);
    expect(under.clock.pendingCount).toBe(0);
  });

  test('is as urgent as the most urgent request that waits for it', async () => {
    clientFor(1);
    await occupy();
    under.send({ body: 'joined', ...of('background') });
    under.send({ body: 'other', ...of('critical') });
    const joins = under.send({ body: 'joined', ...of('primary') });
    await answerAll(3);
    await joins.outcome;
    expect(sent()).toEqual(['first', 'joined', 'other']);
  });

  test('becomes less urgent when its most urgent request is cancelled', async () => {
    clientFor(1);
    await occupy();
    const rest = under.send({ body: 'joined', ...of('background') });
    under.send({ body: 'joined', ...of('primary') }).cancel();
    under.send({ body: 'other', ...of('critical') });
    await answerAll(3);
    await rest.outcome;
    expect(sent()).toEqual(['first', 'other', 'joined']);
  });

  test('becomes less urgent when the deadline of its most urgent request passes', async () => {
    clientFor(1);
    await occupy();
    const rest = under.send({ body: 'joined', ...of('background') });
    const expiring = under.send({ body: 'joined', deadline: under.clock.now() + 10 });
    under.send({ body: 'other', ...of('critical') });
    under.clock.advance(10);
    expect(await describeFailure(expiring)).toMatchObject({ code: 'DEADLINE_EXCEEDED' });
    await answerAll(3);
    await rest.outcome;
    expect(sent()).toEqual(['first', 'other', 'joined']);
  });

  test('moves ahead when the priority of its fetch is raised', async () => {
    clientFor(1);
    await occupy();
    const raisable = new RaisablePriority('background');
    const raised = under.send({ body: 'raised', ...of('background'), raisablePriorities: [raisable] });
    under.send({ body: 'other', ...of('critical') });
    raisable.raise('normal');
    raisable.raise('primary');
    raisable.raise('critical');
    await answerAll(3);
    await raised.outcome;
    expect(sent()).toEqual(['first', 'raised', 'other']);
  });

  test('is not raised by the priority of a cancelled request', async () => {
    clientFor(1);
    await occupy();
    const raisable = new RaisablePriority('background');
    const left = under.send({ body: 'joined', ...of('background'), raisablePriorities: [raisable] });
    const rest = under.send({ body: 'joined', ...of('background') });
    under.send({ body: 'other', ...of('critical') });
    left.cancel();
    raisable.raise('primary');
    await answerAll(3);
    await rest.outcome;
    expect(sent()).toEqual(['first', 'other', 'joined']);
  });

  test('is sent with the latest deadline of all its requests', async () => {
    clientFor(1);
    await occupy();
    const soon = under.clock.now() + 1_000;
    const leader = under.send({ body: 'joined', deadline: under.clock.now() + 100 });
    const joins = [under.send({ body: 'joined' }), under.send({ body: 'joined', deadline: soon })];
    under.clock.advance(100);
    expect(await describeFailure(leader)).toMatchObject({ code: 'DEADLINE_EXCEEDED' });
    await answerAll(2);
    await Promise.all(joins.map(({ outcome }) => outcome));
    expect(subgraph.requests[1]?.headers.get('tributary-deadline-ms')).toBe('14900');
  });

  test('is no longer deferred when a first response waits for it', async () => {
    clientFor(2);
    under.send({ body: 'hangs', ...of('critical') });
    under.send({ body: 'joined', ...of('critical') });
    await subgraph.waitForRequests(1);
    await waitForTurns();
    expect(sent()).toEqual(['hangs']);
    const joins = under.send({ body: 'joined' });
    await subgraph.waitForRequests(2);
    await answerTo(open[1] as Exchange);
    expect(await joins.outcome).toMatchObject({ data: { ok: true } });
  });

  test('does not wait for a connection for deferred calls if a less urgent request may use the others', async () => {
    clientFor(2);
    under.send({ body: 'hangs', ...of('critical') });
    under.send({ body: 'joined', ...of('critical') });
    const joins = under.send({ body: 'joined', priority: 'normal', isDeferred: false });
    await subgraph.waitForRequests(2);
    await answerTo(open[1] as Exchange);
    expect(await joins.outcome).toMatchObject({ data: { ok: true } });
  });

  test('fails when the client is closed', async () => {
    clientFor(1);
    const answers = [await occupy(), under.send({ body: 'second' })];
    await under.client.close();
    for (const answer of answers)
      expect(await describeFailure(answer)).toMatchObject({ code: 'SUBGRAPH_UNREACHABLE' });
    expect(sent()).toEqual(['first']);
  });
});

describe('a full queue of calls', () => {
  test('drops the least urgent call with an error that says what to do', async () => {
    clientFor(1, 2);
    await occupy();
    const background = under.send({ body: 'background', ...of('background') });
    const normal = under.send({ body: 'normal', ...of('normal') });
    const primary = under.send({ body: 'primary' });
    const another = under.send({ body: 'another', ...of('background') });
    expect([background.callCount(), another.callCount()]).toEqual([0, 0]);
    for (const dropped of [background, another]) {
      expect(await describeFailure(dropped)).toMatchObject({ code: 'OVERLOADED', subgraph: 'reviews' });
    }
    const error = await another.outcome;
    expect(error instanceof GatewayError && error.message).toBe(
      'Too many calls wait for a subgraph. Try again in a moment (concurrency.queue).',
    );
    await answerAll(3);
    await Promise.all([normal.outcome, primary.outcome]);
    expect(sent()).toEqual(['first', 'primary', 'normal']);
    expect(under.clock.pendingCount).toBe(0);
  });

  test('has room for requests that join a queued call', async () => {
    clientFor(1, 1);
    await occupy();
    const joined = [1, 2, 3].map(() => under.send({ body: 'joined' }));
    await answerAll(2);
    for (const { outcome } of joined) expect(await outcome).toMatchObject({ data: { ok: true } });
  });

  test('does not let a later equal request join a dropped call', async () => {
    clientFor(1, 1);
    await occupy();
    const dropped = under.send({ body: 'equal', ...of('background') });
    const primary = under.send({ body: 'primary' });
    primary.cancel();
    const equal = under.send({ body: 'equal', ...of('background') });
    expect(await describeFailure(dropped)).toMatchObject({ code: 'OVERLOADED' });
    await answerAll(2);
    expect(await equal.outcome).toMatchObject({ data: { ok: true } });
  });
});
