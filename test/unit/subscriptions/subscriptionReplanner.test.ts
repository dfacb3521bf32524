import { expect, test } from '@jest/globals';
import type { RequestContext } from '../../../gateway/execution/requestContext.ts';
import type { OperationRequest } from '../../../gateway/operation/operationRequest.ts';
import type { PreparedOperation } from '../../../gateway/operation/preparedOperation.ts';
import { SubscriptionReplanner } from '../../../gateway/subscriptions/subscriptionReplanner.ts';
import type { Supergraph } from '../../../gateway/supergraph/supergraph.ts';
import { FakeTimers } from '../../harness/fakeTimers.ts';

const [old, next] = ['old', 'next'].map((id) => ({ id }) as Supergraph);
const preparedFor = (supergraph: Supergraph | undefined) => ({ supergraph }) as PreparedOperation;

test('other tasks of the event loop run while many subscriptions are planned again, whose plans are known', async () => {
  const active = Array.from({ length: 1_000 }, () => ({
    subscription: {
      operation: preparedFor(old),
      request: {} as OperationRequest,
      requestContext: {} as RequestContext,
    },
  }));
  let replanned = 0;
  const replanner = new SubscriptionReplanner<(typeof active)[number]>({
    timers: new FakeTimers(),
    listActive: () => active,
    onReplanned: () => {
      replanned += 1;
    },
    onInvalid: () => {},
  });
  const done = replanner.replanAll(next as Supergraph, async () => preparedFor(next));
  const inNextTurn = new Promise<number>((resolve) => setImmediate(() => resolve(replanned)));
  expect(await inNextTurn).toBeLessThanOrEqual(100);
  await done;
  expect(replanned).toBe(1_000);
});
