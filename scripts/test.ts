// Everything that has to hold: lint, types, directions of imports, all suites. Ends with one line of counts.
//
//   node scripts/test.ts [paths or options for jest]

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';

const root = join(import.meta.dirname, '..');

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

const checks: readonly Check[] = [
  {
    name: 'lint',
    script: join(modules, '@biomejs/biome/bin/biome'),
    args: ['check', '--error-on-warnings', '.'],
  },
  { name: 'types', script: join(modules, 'typescript/bin/tsc'), args: ['--noEmit', '-p', '.'] },
  {
    name: 'directions of imports',
    script: join(modules, 'dependency-cruiser/bin/dependency-cruiser.mjs'),
    args: ['--config', '.dependency-cruiser.cjs', '.'],
  },
];

/** Runs one check and prints its output only when it failed. */
async function runCheck(check: Check): Promise<boolean> {
  const child = spawn(process.execPath, [check.script, ...check.args], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => output.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => output.push(chunk));
  const [code] = await once(child, 'close');
  const holds = code === 0;
  console.log(`${holds ? 'ok  ' : 'FAIL'} ${check.name}`);
  if (!holds) console.log(Buffer.concat(output).toString());
  return holds;
}

/** The part of jest's JSON report that is counted here. */
interface JestReport {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  /** Suites that failed before any of their tests ran; their tests are in none of the other counts. */
  readonly numRuntimeErrorTestSuites: number;
}

async function runSuites(args: readonly string[]): Promise<Counts> {
  const folder = await mkdtemp(join(tmpdir(), 'tributary-test-'));
  const reportFile = join(folder, 'jest.json');
  const child = spawn(
    process.execPath,
    [join(modules, 'jest/bin/jest.js'), '--json', `--outputFile=${reportFile}`, ...args],
    // jest writes its readable report to stderr; stdout is the JSON once more.
    {
      cwd: root,
      stdio: ['ignore', 'ignore', 'inherit'],
      // Suites start some hundred processes and threads of the gateway, each of which would compile all of it.
      env: { NODE_COMPILE_CACHE: join(modules, '.cache/node-compile'), ...process.env },
    },
  );
  // Whoever ends this process ends the suites, and what they have started.
  const end = (signal: NodeJS.Signals): void => {
    child.kill(signal);
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, end);
  try {
    const [code] = await once(child, 'exit');
    const report = await readReport(reportFile);
    if (report === undefined) return { passed: 0, failed: 1, skipped: 0 };
    const failed = report.numFailedTests + report.numRuntimeErrorTestSuites;
    return {
      passed: report.numPassedTests,
      // jest may end badly with every test passed, for example on a leaked handle or no test found.
      failed: failed === 0 && code !== 0 ? 1 : failed,
      skipped: report.numPendingTests + report.numTodoTests,
    };
  } finally {
    for (const signal of signals) process.off(signal, end);
    await rm(folder, { recursive: true, force: true });
  }
}

/** `undefined` where jest ended without a report. */
async function readReport(file: string): Promise<JestReport | undefined> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as JestReport;
  } catch {
    return undefined;
  }
}

const checkResults = await Promise.all(checks.map(runCheck));
const suites = await runSuites(process.argv.slice(2));
const passed = suites.passed + checkResults.filter(Boolean).length;
const failed = suites.failed + checkResults.filter((holds) => !holds).length;
const skipped = suites.skipped > 0 ? `, ${suites.skipped} skipped` : '';
console.log(`\n${passed} passed, ${failed} failed${skipped}`);
process.exitCode = failed === 0 ? 0 : 1;
