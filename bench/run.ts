import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { targetCore } from './childProcess.ts';
import { installPeers } from './installPeers.ts';
import type { Report } from './report.ts';
import { markdown } from './report.ts';

const usage = `node bench/run.ts [--scenario NAME,…] [--targets NAME,…] [--seconds 10] [--rounds 3] [--warm-up 5]
  --scenario  big, big-shared, small, defer, defer-unshared; default: all
  --targets   names of targets; default: all of the scenario
  --seconds   measured time of each target in each round
  --rounds    rounds over all targets; the report shows medians
  --warm-up   seconds of load on each target before its first round`;

const here = import.meta.dirname;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      scenario: { type: 'string' },
      targets: { type: 'string' },
      seconds: { type: 'string', default: '10' },
      rounds: { type: 'string', default: '3' },
      'warm-up': { type: 'string', default: '5' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(usage);
    return 0;
  }
  installPeers();

  // Imported late, because these modules import packages that have just been installed.
  const [{ scenarios }, { createBenchEnvironment }, { measureThroughput }, { measureDeferral }] =
    await Promise.all([
      import('./scenarios.ts'),
      import('./benchEnvironment.ts'),
      import('./throughput.ts'),
      import('./deferral.ts'),
    ]);
  const chosen = selection(values.scenario, scenarios, 'scenario');
  const knownTargets = [...new Set(scenarios.flatMap(({ targets }) => targets))];
  const chosenTargets = new Set(selection(values.targets, knownTargets, 'target'));
  const options = {
    seconds: positive('--seconds', values.seconds),
    rounds: positive('--rounds', values.rounds),
    firstWarmUpSeconds: positive('--warm-up', values['warm-up']),
  };
  const log = (line: string) => console.error(line);

  const reports: Report[] = [];
  await using environment = await createBenchEnvironment();
  for (const scenario of chosen) {
    const targets = scenario.targets.filter((target) => chosenTargets.has(target));
    if (targets.length === 0) continue;
    reports.push(
      scenario.kind === 'throughput'
        ? await measureThroughput(scenario, targets, environment, options, log)
        : await measureDeferral(scenario, targets, environment, options, log),
    );
  }
  const circumstances = { ...machine(), options };
  console.log(`${Object.values(machine()).join(', ')}\n`);
  for (const report of reports) console.log(`${markdown(report)}\n`);
  console.log(`Written to ${writeResults({ circumstances, reports })}`);
  const isComplete = reports.every(({ rows }) => rows.every(({ failure }) => failure === undefined));
  return isComplete ? 0 : 1;
}

function selection<T extends { readonly name: string }>(
  names: string | undefined,
  all: readonly T[],
  what: string,
): readonly T[] {
  if (names === undefined) return all;
  return names.split(',').map((name) => {
    const found = all.find((candidate) => candidate.name === name);
    if (!found)
      throw new Error(`Unknown ${what} ${name}; choose from ${all.map((one) => one.name).join(', ')}`);
    return found;
  });
}

function positive(option: string, text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new Error(`${option} must be a number above 0, not ${text}`);
  return value;
}

function machine() {
  const [first, ...others] = cpus();
  const memory = /^MemTotal:\s+(\d+) kB$/m.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1];
  return {
    cpu: `${first?.model.trim()} × ${others.length + 1}${targetCore === undefined ? ' (processes not pinned to cores)' : ''}`,
    memory: `${(Number(memory ?? 0) / 1024 / 1024).toFixed(0)} GiB`,
    node: `Node ${process.version}`,
    commit: `commit ${execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: here, encoding: 'utf8' }).trim()}`,
  };
}

function writeResults(content: unknown): string {
  const directory = `${here}/results`;
  mkdirSync(directory, { recursive: true });
  const path = `${directory}/${new Date().toISOString().replace(/[:.]/g, '-')}.json`;
  writeFileSync(path, `${JSON.stringify(content, null, 2)}\n`);
  return path;
}

process.exitCode = await main();
