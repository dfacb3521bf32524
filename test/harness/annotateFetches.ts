import type { FetchCall, FetchResult } from '../../gateway/execution/fetchCall.ts';
import type { EntityRequest, FetchSender, RootRequest } from '../../gateway/execution/fetchSender.ts';

type Answered = Extract<FetchResult, { kind: 'answered' }>;

/** The cache annotations of a response. */
export type CacheAnnotations = Partial<Pick<Answered, 'caching' | 'stale'>>;

/** Forwards fetches, and annotates their responses as a cache does. */
export function annotateFetches(
  sender: FetchSender,
  notesOf: (call: FetchCall) => CacheAnnotations,
): FetchSender {
  const noted = (call: FetchCall): FetchCall => ({
    ...call,
    settle: (result, done) =>
      call.settle(result.kind === 'failed' ? result : { ...result, ...notesOf(call) }, done),
  });
  return {
    sendEntities: (request: EntityRequest) =>
      sender.sendEntities({ ...request, calls: request.calls.map(noted), onDone: () => request.onDone() }),
    sendRoot: (request: RootRequest) =>
      sender.sendRoot({ call: noted(request.call), onDone: () => request.onDone() }),
  };
}
