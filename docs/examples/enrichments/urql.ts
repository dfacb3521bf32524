import { type Exchange, makeOperation, type OperationResult } from '@urql/core';
import { empty, filter, fromValue, merge, mergeMap, pipe, share, takeUntil } from 'wonka';
import {
  type EnrichmentUpdate,
  enrichmentSubscription,
  enrichmentTokenOf,
  withUpdate,
} from './enrichmentUpdates.ts';

/** An exchange to put after the cache and before what sends operations. It emits the response, and the complete response
 *  again after each update, so that the cache and components have it. Updates that arrive when no component shows the query
 *  any more are for the cache. If the updates end early, for example because the connection is lost or the token has
 *  expired, it sends the operation again, once, if a component shows the query. */
export const enrichmentExchange: Exchange =
  ({ client, forward }) =>
  (operations) => {
    const results = pipe(operations, forward, share);

    const updatesOf = (result: OperationResult, token: string) => {
      let shown = result;
      return pipe(
        client.subscription<{ readonly enrichment: EnrichmentUpdate }>(enrichmentSubscription, { token }),
        mergeMap(({ data, error, hasNext }) => {
          const update = data?.enrichment;
          if (update !== undefined && error === undefined && (hasNext || !update.hasNext)) {
            shown = { ...shown, data: withUpdate(shown.data, update) };
            return fromValue(shown);
          }
          const { operation } = result;
          if (shownBefore(result) === undefined) {
            const context = { requestPolicy: 'network-only', shownBefore: shown } as const;
            client.reexecuteOperation(
              makeOperation('query', operation, { ...operation.context, ...context }),
            );
          }
          return empty;
        }),
        // A newer response has a token of its own.
        takeUntil(
          pipe(
            results,
            filter(({ operation }) => operation.key === result.operation.key),
          ),
        ),
      );
    };

    return pipe(
      results,
      mergeMap((result) => {
        const before = shownBefore(result);
        // After a failure, the fields stay null.
        if (before !== undefined && !result.data) return fromValue({ ...before, stale: false });
        const token = enrichmentTokenOf(result.extensions);
        if (token === undefined) return fromValue(result);
        return merge([fromValue(result), updatesOf(result, token)]);
      }),
    );
  };

/** What components show while the operation is sent again because the updates of its first response have ended early. */
function shownBefore({ operation }: OperationResult): OperationResult | undefined {
  const { shownBefore: shown } = operation.context;
  return shown;
}
