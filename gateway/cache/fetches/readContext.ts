import { partitionRequestContext, type RequestContext } from '../../execution/requestContext.ts';
import type { ReadVersion } from '../store/cacheStore.ts';

/** The context of a fetch whose response is stored. It shares calls only with fetches that began after the same
 *  invalidations: a response that was requested before an invalidation must not be stored as one from after it. */
export function createReadContext(context: RequestContext, since: ReadVersion): RequestContext {
  return partitionRequestContext(context, `${since.inProcess}.${since.shared}`);
}

/** The context of a refresh. No client waits for it, so it has a deadline of its own. */
export function createRefreshContext(
  context: RequestContext,
  since: ReadVersion,
  timeoutMs: number,
): RequestContext {
  const deadline = performance.now() + timeoutMs;
  return { ...createReadContext(context, since), deadline, deadlineFor: () => deadline };
}
