import type { FetchCall, FetchResult } from '../../gateway/execution/fetchCall.ts';
import type { EntityRequest, FetchSender, RootRequest } from '../../gateway/execution/fetchSender.ts';

type Answered = Extract<FetchResult, { kind: 'completed' }>;

/** The cache annotations of a response. */
export type CacheAnnotations = Partial<Pick<Answered, 'caching' | 'stale'>>;

/** Forwards fetches, and annotates their responses as a cache does. */
export function annotateFetches(
  sender: FetchSender,
  annotationsOf: (call: FetchCall) => CacheAnnotations,
): FetchSender {
  const annotated = (call: FetchCall): FetchCall => ({
    ...call,
    settle: (result, done) =>
      call.settle(result.kind === 'failed' ? result : { ...result, ...annotationsOf(call) }, done),
  });
  return {
    sendEntities: (request: EntityRequest) =>
      sender.sendEntities({
        ...request,
        calls: request.calls.map(annotated),
        onDone: () => request.onDone(),
      }),
    sendRoot: (request: RootRequest) =>
      sender.sendRoot({ call: annotated(request.call), onDone: () => request.onDone() }),
  };
}
