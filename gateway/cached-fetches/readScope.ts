import type { ReadStart } from '../cache/store/cacheStore.ts';
import type { RequestScope } from '../execution/requestScope.ts';

/** The scope of what is asked in order to be kept. It shares a call only with what began to be read when nothing else
 *  had been invalidated: an answer that was asked for before an invalidation must not be stored as one from after it. */
export function readScope(scope: RequestScope, since: ReadStart): RequestScope {
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
export function refreshScope(scope: RequestScope, since: ReadStart, deadlineMs: number): RequestScope {
  const deadline = performance.now() + deadlineMs;
  return { ...readScope(scope, since), deadline, deadlineFor: () => deadline };
}
