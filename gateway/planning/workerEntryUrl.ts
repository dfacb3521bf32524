/** URL of a worker thread's entry file next to the importing module. Sources run as `.ts` and the package as `.js`, and
 *  the compiler rewrites imports but not URLs. */
export function workerEntryUrl(name: string, importMetaUrl: string): URL {
  const extension = new URL(importMetaUrl).pathname.endsWith('.ts') ? 'ts' : 'js';
  return new URL(`./${name}.${extension}`, importMetaUrl);
}
