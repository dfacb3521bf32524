import type { RequestContext } from '../../execution/requestContext.ts';
import type { ReadVersion } from '../store/cacheStore.ts';

/** The request context of a fetch whose answer is stored. The fetch shares a subgraph call only with fetches of the same
 *  read version: an answer that was requested before an invalidation must not be stored as if it were newer. */
export function createReadContext(requestContext: RequestContext, since: ReadVersion): RequestContext {
  const prefix = `${since.inProcess}.${since.shared} `;
  return {
    ...requestContext,
    headersFor: (subgraph) => {
      const { key, pairs } = requestContext.headersFor(subgraph);
      return { key: `${prefix}${key}`, pairs };
    },
  };
}

/** The request context of a refresh. It has its own deadline, because no client waits for it. */
export function createRefreshContext(
  requestContext: RequestContext,
  since: ReadVersion,
  timeoutMs: number,
): RequestContext {
  const deadline = performance.now() + timeoutMs;
  return { ...createReadContext(requestContext, since), deadline, deadlineFor: () => deadline };
}
