import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { installPeers } from './installPeers.ts';
import type { Report, Results } from './results.ts';
import type { RoundOptions } from './throughput.ts';

const usage = `node bench/run.ts [--scenario NAME,…] [--targets NAME,…] [--command NAME=COMMAND]… [--into NAME]
    [--seconds 10] [--rounds 3] [--warm-up 20] [--profile]
  --scenario  default: all; latency-* selects all names that begin so
  --targets   names of targets; default: all of the scenario
  --command   another target: any command that starts a router. {port}, {supergraph}, {directory} and
              {url:SUBGRAPH} stand for the values of the run. NAME/PATH=COMMAND where the endpoint is not /graphql
  --into      adds the results to bench/results/NAME.json; an equal scenario of an equal target is replaced
  --seconds   measured time of each target in each round
  --rounds    rounds over all targets; the report shows medians
  --warm-up   seconds of load on each target before its first round
  --profile   profiles the CPU time and the allocations of each Node target with one process after its rounds (not of defer and start):
              files in bench/results/NAME-profiles for the developer tools of Chrome

node bench/run.ts --publish NAME
  makes bench/results/NAME.json the results that docs/performance.md shows

node bench/run.ts --compare COMMIT [--scenario big,small] [--limit 5]
  compares the CPU per request of this checkout with that of the commit; exit code 1 beyond the limit (percent)`;

type Arguments = ReturnType<typeof readArguments>;

function readArguments() {
  const { values } = parseArgs({
    options: {
      scenario: { type: 'string' },
      targets: { type: 'string' },
      command: { type: 'string', multiple: true, default: [] },
      into: { type: 'string' },
      publish: { type: 'string' },
      compare: { type: 'string' },
      limit: { type: 'string', default: '5' },
      seconds: { type: 'string', default: '10' },
      rounds: { type: 'string', default: '3' },
      'warm-up': { type: 'string', default: '20' },
      profile: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  return values;
}

async function main(): Promise<number> {
  const values = readArguments();
  if (values.help) {
    console.log(usage);
    return 0;
  }
  if (values.publish !== undefined) return publish(values.publish);
  if (values.compare !== undefined) {
    // This checkout's own packages are enough for it.
    const { compareWith } = await import('./compare.ts');
    return compareWith(values.compare, {
      scenarios: (values.scenario ?? 'big,small').split(','),
      limit: 1 + positive('--limit', values.limit) / 100,
    });
  }
  return measureScenarios(values);
}

async function measureScenarios(values: Arguments): Promise<number> {
  installPeers();

  // Imported late, because these modules import packages that have just been installed.
  const [
    { selectScenarios },
    { commandTarget },
    { currentCircumstances },
    { addToResults, resultsPath },
    { table },
  ] = await Promise.all([
    import('./scenarios.ts'),
    import('./targets/command.ts'),
    import('./circumstances.ts'),
    import('./results.ts'),
    import('./report.ts'),
  ]);
  const commands = values.command.map(commandTarget);
  const options = {
    seconds: positive('--seconds', values.seconds),
    rounds: positive('--rounds', values.rounds),
    firstWarmUpSeconds: positive('--warm-up', values['warm-up']),
  };
  const circumstances = currentCircumstances();
  const path = resultsPath(values.into ?? new Date().toISOString().replace(/[:.]/g, '-'));
  const profiles = values.profile ? { profiles: path.replace(/\.json$/, '-profiles') } : {};
  const chosen = selectScenarios(values.scenario).map((scenario) => ({
    ...scenario,
    targets: scenario.kind === 'defer' ? scenario.targets : [...scenario.targets, ...commands],
  }));
  const known = new Set(chosen.flatMap(({ targets }) => targets.map(({ name }) => name)));
  const wanted = values.targets === undefined ? known : new Set(values.targets.split(','));
  for (const name of wanted) {
    if (!known.has(name)) throw new Error(`Unknown target ${name}; choose from ${[...known].join(', ')}`);
  }

  const all: Report[] = [];
  for (const scenario of chosen) {
    const targets = scenario.targets.filter(({ name }) => wanted.has(name));
    if (targets.length === 0) continue;
    const report = { ...(await measure(scenario, targets, { ...options, ...profiles })), options };
    // After each scenario, so that a run that is stopped has results.
    addToResults(path, { circumstances, reports: [report] });
    console.log(`${table(report)}\n`);
    all.push(report);
  }
  console.log(`${Object.values(circumstances).join(', ')}\nWritten to ${path}`);
  const isComplete = all.every(({ rows }) => rows.every(({ failure }) => failure === undefined));
  return isComplete ? 0 : 1;
}

type Scenarios = typeof import('./scenarios.ts');
type Scenario = Scenarios['scenarios'][number];

async function measure(
  scenario: Scenario,
  targets: Scenario['targets'],
  options: RoundOptions,
): Promise<Report> {
  const [{ createBenchEnvironment }, { measureThroughput }, { measureDeferral }, { measureStart }] =
    await Promise.all([
      import('./benchEnvironment.ts'),
      import('./throughput.ts'),
      import('./deferral.ts'),
      import('./start.ts'),
    ]);
  const log = (line: string) => console.error(line);
  if (scenario.kind === 'start') return measureStart(scenario, targets, options, log);
  const wideSubgraphs = scenario.kind === 'throughput' ? scenario.wideSubgraphs : undefined;
  await using environment = await createBenchEnvironment(wideSubgraphs);
  return scenario.kind === 'throughput'
    ? await measureThroughput(scenario, targets, environment, options, log)
    : await measureDeferral(scenario, targets, environment, options, log);
}

async function publish(name: string): Promise<number> {
  const { latestDirectory, readResults, resultsPath, writeResults } = await import('./results.ts');
  const { plotsOf } = await import('./plots.ts');
  const { profilesPage, publishedPage } = await import('./report.ts');
  const results: Results = readResults(resultsPath(name));
  writeResults(join(latestDirectory, 'results.json'), results);
  for (const { name: file, svg } of plotsOf(results)) writeFileSync(join(latestDirectory, file), svg);
  writeFileSync(join(latestDirectory, 'profiles.md'), profilesPage(results));
  const page = join(import.meta.dirname, '../docs/performance.md');
  writeFileSync(page, publishedPage(readFileSync(page, 'utf8'), results));
  console.log(`Written to ${latestDirectory} and ${page}`);
  return 0;
}

function positive(option: string, text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new Error(`${option} must be a number above 0, not ${text}`);
  return value;
}

process.exitCode = await main();
