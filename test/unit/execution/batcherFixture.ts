import { EntityFetchBatcher } from '../../../gateway/execution/entityFetchBatcher.ts';
import type { FetchCall } from '../../../gateway/execution/fetchCall.ts';
import { FakeSubgraphClient } from '../../harness/fakeSubgraphClient.ts';

export function send(
  requests: EntityFetchBatcher,
  ...calls: FetchCall[]
): { readonly cancel: () => void; isDone: boolean } {
  const sent = { cancel: () => {}, isDone: false };
  sent.cancel = requests.send({
    calls,
    requestContext: (calls[0] as FetchCall).requestContext,
    onDone: () => {
      sent.isDone = true;
    },
  });
  return sent;
}

export function started({ acrossRequests = true, maxBatchSize = 100 } = {}): {
  client: FakeSubgraphClient;
  requests: EntityFetchBatcher;
} {
  const client = new FakeSubgraphClient();
  return { client, requests: new EntityFetchBatcher(client, { acrossRequests, maxBatchSize }) };
}

export const typed = (id: string): object => ({ __typename: 'Product', id });
export const answered = (data: unknown, errors: unknown[] = []): unknown => ({
  kind: 'completed',
  data,
  errors,
  isEscapeFree: true,
  metadata: { cacheControl: undefined, age: undefined, extensions: undefined },
  caching: undefined,
  stale: undefined,
});
