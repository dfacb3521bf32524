import { expect, jest, test } from '@jest/globals';
import { CaughtUpSubscriptions } from '../../../gateway/subscriptions/caughtUpSubscriptions.ts';
import type { SharedSubscription } from '../../../gateway/subscriptions/sharedSubscription.ts';
import type { Subscriber } from '../../../gateway/subscriptions/subscriber.ts';
import { SubscriptionRegistry } from '../../../gateway/subscriptions/subscriptionRegistry.ts';
import { waitForTurns } from '../../harness/waitForTurns.ts';
import { WeakList } from '../../harness/weakList.ts';

/** A shared subscription that only knows whether it is idle. */
class FakeShared {
  isBusy = false;
  /** How many times its state was read. */
  reads = 0;
  mergedInto: unknown;
  end: () => void = () => {};

  get isOpen(): boolean {
    return this.mergedInto === undefined;
  }
  get isIdle(): boolean {
    this.reads += 1;
    return this.isOpen && !this.isBusy;
  }
  join(): () => void {
    return () => {};
  }
  mergeInto(target: unknown): void {
    this.mergedInto = target;
    this.end();
  }
}

interface Live {
  readonly fake: FakeShared;
  readonly shared: SharedSubscription;
}

function setUp() {
  const registry = new SubscriptionRegistry<Live>();
  const caughtUp = new CaughtUpSubscriptions(registry);
  const start = (key: string | undefined, fake = new FakeShared()): Live => {
    const live: Live = { fake, shared: fake as unknown as SharedSubscription };
    registry.join(
      key,
      {} as Subscriber,
      (onEnd) => {
        fake.end = onEnd;
        return live;
      },
      () => {},
    );
    return live;
  };
  const startCaughtUp = (key: string): Live => {
    const live = start(undefined);
    caughtUp.add(live, key);
    return live;
  };
  return { registry, caughtUp, start, startCaughtUp };
}

test('looks at no other subscriptions than equal ones when a subscription has become idle', async () => {
  const { caughtUp, start, startCaughtUp } = setUp();
  const busy = start('a');
  busy.fake.isBusy = true;
  const waiting = [startCaughtUp('a'), startCaughtUp('a')];
  const replaying = start(undefined);
  await waitForTurns();
  const before = [busy, ...waiting].map(({ fake }) => fake.reads);
  for (let event = 0; event < 100; event++) caughtUp.mergeWhenIdle(replaying);
  await waitForTurns();
  expect([busy, ...waiting].map(({ fake }) => fake.reads)).toEqual(before);
  busy.fake.isBusy = false;
  caughtUp.mergeWhenIdle(busy);
  await waitForTurns();
  expect(waiting.map(({ fake }) => fake.mergedInto)).toEqual([busy.shared, busy.shared]);
});

test('merges many subscriptions in several turns of the event loop, while they are idle', async () => {
  const { caughtUp, start, startCaughtUp } = setUp();
  const busy = start('a');
  busy.fake.isBusy = true;
  const waiting = Array.from({ length: 450 }, () => startCaughtUp('a'));
  const countMerged = () => waiting.filter(({ fake }) => fake.mergedInto === busy.shared).length;
  await waitForTurns();
  busy.fake.isBusy = false;
  caughtUp.mergeWhenIdle(busy);
  await Promise.resolve();
  expect(countMerged()).toBe(200);
  busy.fake.isBusy = true;
  await waitForTurns(3);
  expect(countMerged()).toBe(200);
  busy.fake.isBusy = false;
  caughtUp.mergeWhenIdle(busy);
  await waitForTurns(3);
  expect(countMerged()).toBe(450);
});

test('the next equal subscription is joined when the first one has ended', async () => {
  const { registry, caughtUp, start, startCaughtUp } = setUp();
  const first = start('a');
  first.fake.isBusy = true;
  const [second, third] = [startCaughtUp('a'), startCaughtUp('a')];
  await waitForTurns();
  first.fake.end();
  expect(registry.findEqual(third)).toBe(second);
  caughtUp.mergeWhenIdle(second);
  await waitForTurns();
  expect(third.fake.mergedInto).toBe(second.shared);
});

test('a subscription that has become idle is merged without a look at those that wait for the same', async () => {
  const { caughtUp, start, startCaughtUp } = setUp();
  const target = start('a');
  target.fake.isBusy = true;
  const [idle, other] = [startCaughtUp('a'), startCaughtUp('a')];
  await waitForTurns();
  target.fake.isBusy = false;
  const { reads } = other.fake;
  caughtUp.mergeWhenIdle(idle);
  await waitForTurns();
  expect([idle.fake.mergedInto, other.fake.reads]).toEqual([target.shared, reads]);
});

test('an idle subscription is not looked up while none waits', async () => {
  const { registry, caughtUp, start } = setUp();
  const findEqual = jest.spyOn(registry, 'findEqual');
  caughtUp.mergeWhenIdle(start('a'));
  await waitForTurns();
  expect(findEqual).toHaveBeenCalledTimes(0);
});

test('a subscription that ends while it waits is not kept in memory', async () => {
  const ended = new WeakList();
  const { caughtUp, start } = setUp();
  const startAndEnd = (): void => {
    const live = start(undefined, ended.add(new FakeShared()));
    caughtUp.add(live, 'a');
    live.fake.end();
    caughtUp.delete(live);
  };
  start('a').fake.isBusy = true;
  startAndEnd();
  expect(await ended.countRemaining()).toBe(0);
});
