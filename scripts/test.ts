// Runs all checks: lint, types, import directions and all suites. Ends with one line of counts.
//
//   node scripts/test.ts [--long] [paths or options for jest]
//
// `--long` runs many more generated cases than a commit gets by itself, and a soak of two hours instead of one minute.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { constants, setPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';

const root = join(import.meta.dirname, '..');

const longFlag = '--long';

interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

interface Check {
  readonly name: string;
  readonly script: string;
  readonly args: readonly string[];
}

const modules = join(root, 'node_modules');

/** For Go programs: the type checker, which `test/e2e/package.test.ts` runs as well, and esbuild in suites. Most of what the
 *  type checker allocates stays in use. Without collections it needs a fifth less CPU time, and 1.5 GB instead of 1.2 GB. */
const goMemory = { GOGC: 'off', GOMEMLIMIT: '2GiB' };

const checks: readonly Check[] = [
  {
    name: 'lint',
    script: join(modules, '@biomejs/biome/bin/biome'),
    args: ['check', '--error-on-warnings', '.'],
  },
  {
    name: 'types',
    script: join(modules, 'typescript/bin/tsc'),
    // One checker: several check shared types again each, and the processors are busy with the suites.
    args: ['--noEmit', '-p', '.', '--checkers', '1'],
  },
  {
    name: 'directions of imports',
    script: join(modules, 'dependency-cruiser/bin/dependency-cruiser.mjs'),
    args: ['--config', '.dependency-cruiser.cjs', '.'],
  },
  {
    name: 'soak with random faults',
    script: join(root, 'test/soak/soak.ts'),
    args: process.argv.includes(longFlag) ? [longFlag] : [],
  },
];

const runningChecks = new Set<ChildProcess>();

/** Runs one check beside the suites with lower priority. Prints its output only if it fails. */
async function runCheck(check: Check): Promise<boolean> {
  const child = spawn(process.execPath, [check.script, ...check.args], {
    cwd: root,
    env: { NODE_COMPILE_CACHE: join(modules, '.cache/node-compile'), ...goMemory, ...process.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  runningChecks.add(child);
  if (child.pid !== undefined) setPriority(child.pid, constants.priority.PRIORITY_BELOW_NORMAL);
  const output: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => output.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => output.push(chunk));
  const [code] = await once(child, 'close');
  runningChecks.delete(child);
  const holds = code === 0;
  console.log(`${holds ? 'ok  ' : 'FAIL'} ${check.name}`);
  if (!holds) console.log(Buffer.concat(output).toString());
  return holds;
}

/** The counts in jest's JSON report that this script uses. */
interface JestReport {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  /** Suites that failed before their first test; no other count includes their tests. */
  readonly numRuntimeErrorTestSuites: number;
}

async function runSuites(args: readonly string[]): Promise<Counts> {
  const folder = await mkdtemp(join(tmpdir(), 'tributary-test-'));
  const reportFile = join(folder, 'jest.json');
  const { NODE_COMPILE_CACHE: compileCache = join(modules, '.cache/node-compile'), ...environment } =
    process.env;
  const child = spawn(
    process.execPath,
    [
      // Suites allocate many short-lived objects. With V8's default, scavenges take a tenth of the time. From the start:
      // a growing young generation takes 3 % more CPU time.
      '--max-semi-space-size=64',
      '--min-semi-space-size=64',
      join(modules, 'jest/bin/jest.js'),
      '--json',
      `--outputFile=${reportFile}`,
      ...args.filter((arg) => arg !== longFlag),
    ],
    // jest writes its readable report to stderr, and the JSON report to stdout as well.
    {
      cwd: root,
      stdio: ['ignore', 'ignore', 'inherit'],
      // Suites start about a hundred processes and threads of the gateway. Without the cache, each would compile all
      // of it. It is not for jest itself: see `test/runner/environment.ts`.
      env: {
        TEST_COMPILE_CACHE: compileCache,
        ...goMemory,
        ...(args.includes(longFlag) ? { TEST_LONG: '1' } : {}),
        ...environment,
      },
    },
  );
  // A signal to this process stops the suites, the checks, and the processes that they started.
  const end = (signal: NodeJS.Signals): void => {
    for (const one of [child, ...runningChecks]) one.kill(signal);
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, end);
  const endOfBootstrap = () => end('SIGTERM');
  process.on('disconnect', endOfBootstrap);
  try {
    const [code] = await once(child, 'exit');
    const report = await readReport(reportFile);
    if (report === undefined) return { passed: 0, failed: 1, skipped: 0 };
    const failed = report.numFailedTests + report.numRuntimeErrorTestSuites;
    return {
      passed: report.numPassedTests,
      // jest may fail although every test passed, for example because no test was found or a handle leaked.
      failed: failed === 0 && code !== 0 ? 1 : failed,
      skipped: report.numPendingTests + report.numTodoTests,
    };
  } finally {
    for (const signal of signals) process.off(signal, end);
    process.off('disconnect', endOfBootstrap);
    await rm(folder, { recursive: true, force: true });
  }
}

/** Returns `undefined` if jest ended without a report. */
async function readReport(file: string): Promise<JestReport | undefined> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as JestReport;
  } catch {
    return undefined;
  }
}

const [checkResults, suites] = await Promise.all([
  Promise.all(checks.map(runCheck)),
  runSuites(process.argv.slice(2)),
]);
const passed = suites.passed + checkResults.filter(Boolean).length;
const failed = suites.failed + checkResults.filter((holds) => !holds).length;
const skipped = suites.skipped > 0 ? `, ${suites.skipped} skipped` : '';
console.log(`\n${passed} passed, ${failed} failed${skipped}`);
process.exitCode = failed === 0 ? 0 : 1;
