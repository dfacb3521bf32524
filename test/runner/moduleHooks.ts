import { registerHooks } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const tests = pathToFileURL(join(import.meta.dirname, '../')).href;
/** Modules of `test/` that are evaluated once per worker and keep their state. */
const shared = [`${tests}runner/`, `${tests}harness/shared/`];
/** The module that starts planner threads, and what it gets in place of their own module. */
const workerPlanner = new URL('../gateway/planning/workerPlanner.ts', tests).href;
const plannerThreads = `${tests}harness/shared/plannerThreads.ts`;
const globalsScheme = 'jest-globals:';
const suiteParameter = 'suite';

/** The exports of `@jest/globals` for one suite. */
export type JestGlobals = Readonly<Record<string, unknown>>;

const globalsBySuite = new Map<string, JestGlobals>();

/** The URL under which the modules of one suite are evaluated, so that no other suite in this worker shares them. */
export function suiteUrl(file: string, suite: string): string {
  return `${pathToFileURL(file).href}?${suiteParameter}=${suite}`;
}

/** Sets the exports of `@jest/globals` for the modules of a suite. */
export function setJestGlobals(suite: string, globals: JestGlobals): void {
  globalsBySuite.set(suite, globals);
}

export function deleteJestGlobals(suite: string): void {
  globalsBySuite.delete(suite);
}

/** @throws {Error} when the suite has ended. */
export function jestGlobals(suite: string): JestGlobals {
  const globals = globalsBySuite.get(suite);
  if (globals === undefined) throw new Error('A module imported @jest/globals after its suite had ended.');
  return globals;
}

function suiteOf(url: string | undefined): string | undefined {
  if (url === undefined || !url.startsWith(tests)) return undefined;
  return new URL(url).searchParams.get(suiteParameter) ?? undefined;
}

function belongsToSuite(url: string): boolean {
  return url.startsWith(tests) && !shared.some((folder) => url.startsWith(folder));
}

function globalsSource(suite: string): string {
  const names = Object.keys(jestGlobals(suite)).join(', ');
  const hooks = JSON.stringify(import.meta.url);
  return `import { jestGlobals } from ${hooks};\nexport const { ${names} } = jestGlobals(${JSON.stringify(suite)});\n`;
}

registerHooks({
  resolve(specifier, context, nextResolve) {
    if (specifier === './plannerThread.ts' && context.parentURL === workerPlanner)
      return { url: plannerThreads, shortCircuit: true };
    const suite = suiteOf(context.parentURL);
    if (suite === undefined) return nextResolve(specifier, context);
    if (specifier === '@jest/globals') {
      return { url: `${globalsScheme}${suite}`, format: 'module', shortCircuit: true };
    }
    const resolved = nextResolve(specifier, context);
    if (!belongsToSuite(resolved.url)) return resolved;
    return { ...resolved, url: `${resolved.url}?${suiteParameter}=${suite}` };
  },
  load(url, context, nextLoad) {
    if (!url.startsWith(globalsScheme)) return nextLoad(url, context);
    return { format: 'module', source: globalsSource(url.slice(globalsScheme.length)), shortCircuit: true };
  },
});
