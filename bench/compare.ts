import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BenchEnvironment, createBenchEnvironment } from './benchEnvironment.ts';
import { targetCore } from './childProcess.ts';
import type { ClosedLoopResult } from './closedLoop.ts';
import { type OperationName, operationText } from './operations.ts';
import { median } from './percentile.ts';
import { referenceAnswer } from './reference.ts';
import type { Target } from './targets/target.ts';
import { tributaryOf } from './targets/tributary.ts';
import { medianBounds, verdictOf } from './verdict.ts';

interface CompareOptions {
  /** Operations; client requests share nothing. */
  readonly scenarios: readonly string[];
  /** The ratio beyond which this checkout counts as slower. */
  readonly limit: number;
}

const repository = join(import.meta.dirname, '..');

/** The sign test needs six pairs for bounds at 95 %. */
const minPairs = 6;
const maxPairs = 16;

/** Until V8's compiler and heap have settled: before that, two processes of the same program differ by 20 %. */
const warmUpMs = 20_000;
const measureMs = 4000;

type Side = 'base' | 'head';

/** Compares this checkout with a commit, and prints the results as Markdown as they arrive: a run that fails has those of
 *  the scenarios before. Returns the exit code. */
export async function compareWith(commit: string, { scenarios, limit }: CompareOptions): Promise<number> {
  const operations = scenarios.map(operationOf);
  const directory = mkdtempSync(join(tmpdir(), 'tributary-compare-'));
  const base = join(directory, 'base');
  git('worktree', 'add', '--detach', base, commit);
  // However this process ends.
  process.once('exit', () => {
    git('worktree', 'remove', '--force', base);
    rmSync(directory, { recursive: true, force: true });
  });
  installPackages(base);
  const targets = { base: tributaryOf(base, 'base'), head: tributaryOf(repository, 'head') };
  console.log(
    `This checkout compared with ${git('rev-parse', '--short', commit)}, limit ${percent(limit)}\n`,
  );
  console.log(
    '| scenario | per request | difference | 95 % bounds | pairs | verdict |\n| --- | --- | --- | --- | --- | --- |',
  );
  let isSlower = false;
  for (const operation of operations) {
    await using environment = await createBenchEnvironment();
    const { ratios, unit } = await comparePairs(operation, targets, environment, limit);
    const middle = median(ratios);
    const { lower = Number.NaN, upper = Number.NaN } = medianBounds(ratios) ?? {};
    const verdict = verdictOf(ratios, limit);
    // Bounds that still include the limit after all pairs: the median decides.
    const isBeyond = verdict === 'slower' || (verdict === 'undecided' && middle > limit);
    isSlower ||= isBeyond;
    console.log(
      `| ${operation} | ${unit} | ${percent(middle)} | ${percent(lower)} to ${percent(upper)} | ${ratios.length} | ${isBeyond ? 'slower' : 'ok'} |`,
    );
  }
  return isSlower ? 1 : 0;
}

async function comparePairs(
  operation: OperationName,
  targets: Readonly<Record<Side, Target>>,
  environment: BenchEnvironment,
  limit: number,
): Promise<{ readonly ratios: readonly number[]; readonly unit: string }> {
  const ratios: number[] = [];
  let unit = 'CPU';
  while (ratios.length < maxPairs) {
    if (ratios.length >= minPairs && verdictOf(ratios, limit) !== 'undecided') break;
    const { base, head } = await measurePair(operation, targets, environment, ratios.length % 2 === 1);
    const [before, after] = [base.instructionsPerRequest, head.instructionsPerRequest];
    const hasInstructions = before !== undefined && after !== undefined;
    unit = hasInstructions ? 'instructions' : 'CPU';
    const ratio = hasInstructions ? after / before : head.cpuMsPerRequest / base.cpuMsPerRequest;
    ratios.push(ratio);
    const cpu = `${base.cpuMsPerRequest.toFixed(3)} → ${head.cpuMsPerRequest.toFixed(3)} CPU ms`;
    console.error(`${operation} pair ${ratios.length}: ${percent(ratio)} (${cpu})`);
  }
  return { ratios, unit };
}

/** Measures both gateways one directly after the other, each in a process of its own without pauses: a heap that was
 *  idle shrinks, and a gateway is up to 20 % slower until it has grown again. */
async function measurePair(
  operation: OperationName,
  targets: Readonly<Record<Side, Target>>,
  environment: BenchEnvironment,
  isHeadFirst: boolean,
): Promise<Readonly<Record<Side, ClosedLoopResult>>> {
  const measure = (side: Side) => measureOnce(operation, targets[side], environment);
  if (isHeadFirst) {
    const head = await measure('head');
    return { head, base: await measure('base') };
  }
  const base = await measure('base');
  return { base, head: await measure('head') };
}

async function measureOnce(
  operation: OperationName,
  target: Target,
  environment: BenchEnvironment,
): Promise<ClosedLoopResult> {
  const { url, child } = await environment.startTarget(target, { sharing: false });
  const query = operationText(operation);
  const result = await environment.runClosedLoop({
    kind: 'closed-loop',
    url,
    query,
    expected: referenceAnswer(query),
    connections: 50,
    warmUpMs,
    measureMs,
    targetPid: child.pid,
    ...(targetCore === undefined ? {} : { targetCore }),
    subgraphAdmin: environment.subgraphAdmin,
    countsInstructions: true,
  });
  await child.stop();
  if (result.wrongAnswers > 0)
    throw new Error(`A response of ${target.name} is wrong: ${result.wrongAnswer}`);
  return result;
}

function operationOf(name: string): OperationName {
  if (name === 'big' || name === 'small') return name;
  throw new Error(`--compare measures the scenarios big and small, not ${name}.`);
}

/** Packages of an equal lockfile are equal. */
function installPackages(checkout: string): void {
  const lockfile = (directory: string) => readFileSync(join(directory, 'package-lock.json'), 'utf8');
  const own = join(repository, 'node_modules');
  if (existsSync(own) && lockfile(checkout) === lockfile(repository)) {
    symlinkSync(own, join(checkout, 'node_modules'));
  } else {
    execFileSync('npm', ['ci', '--no-audit', '--no-fund'], {
      cwd: checkout,
      stdio: ['ignore', 'ignore', 'inherit'],
    });
  }
}

function git(...args: string[]): string {
  return execFileSync('git', args, { cwd: repository, encoding: 'utf8' }).trim();
}

function percent(ratio: number): string {
  const value = (ratio - 1) * 100;
  return `${value > 0 ? '+' : ''}${value.toFixed(1)} %`;
}
