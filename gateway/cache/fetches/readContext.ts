import type { RequestContext } from '../../execution/requestContext.ts';
import type { ReadVersion } from '../store/cacheStore.ts';

/** The scope of what is asked in order to be kept. It shares a call only with what began to be read when nothing else
 *  had been invalidated: an answer that was asked for before an invalidation must not be stored as one from after it. */
export function createReadContext(scope: RequestContext, since: ReadVersion): RequestContext {
  const prefix = `${since.inProcess}.${since.shared} `;
  return {
    ...scope,
    headersFor: (subgraph) => {
      const { key, pairs } = scope.headersFor(subgraph);
      return { key: `${prefix}${key}`, pairs };
    },
  };
}

/** The scope of a refresh: nobody waits for it, so that it has a time of its own. */
export function createRefreshContext(
  scope: RequestContext,
  since: ReadVersion,
  deadlineMs: number,
): RequestContext {
  const deadline = performance.now() + deadlineMs;
  return { ...createReadContext(scope, since), deadline, deadlineFor: () => deadline };
}
