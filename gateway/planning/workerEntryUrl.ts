/** Where the worker thread's file lies that stands beside the importing module: sources run unbuilt (`.ts`),
 *  the package runs built (`.js`), and the compiler rewrites imports but not URLs. */
export function workerEntryUrl(name: string, importMetaUrl: string): URL {
  const extension = new URL(importMetaUrl).pathname.endsWith('.ts') ? 'ts' : 'js';
  return new URL(`./${name}.${extension}`, importMetaUrl);
}
