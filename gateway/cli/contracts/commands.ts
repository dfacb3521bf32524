import { setFlagsFromString } from 'node:v8';
import type { Command } from 'commander';
import { exitUndecided, rethrowAsUndecided } from './commandErrors.ts';
import type { ReportArgument } from './reportOutputs.ts';

const directoryOption = [
  '-d, --directory <dir>',
  'the store (default: contracts.directory of tributary.yaml, or contracts)',
] as const;
const configOption = [
  '-c, --config <file>',
  'configuration file that names the subgraphs (default: tributary.yaml, if it exists)',
] as const;
const strictOption = ['--strict', 'fail on dangerous findings too'] as const;
const candidateHelp = 'NAME=FILE or NAME=URL: a candidate schema of a subgraph; repeatable';

/** Adds the command `contracts` and its subcommands. */
export function addContractsCommands(program: Command): void {
  const contracts = program
    .command('contracts')
    .description('check what a change of a subgraph breaks for its clients')
    .hook('preAction', async (_, command) => {
      limitHeapGrowth();
      // As `serve` does: graphql-js is faster without its checks for several copies of itself.
      process.env.NODE_ENV ||= 'production';
      // Errors outside of the command's promise, such as those of a thread.
      process.on('uncaughtException', exitUndecided);
      const { directory, config } = command.opts<{ directory?: string; config?: string }>();
      if (directory !== undefined) return;
      const read = async () => (await import('./storeDirectory.ts')).storeDirectory(config);
      command.setOptionValue('directory', await rethrowAsUndecided(read));
    });
  // In the order of the help.
  addCheck(contracts);
  addAccept(contracts);
  addInit(contracts);
  addCanDeploy(contracts);
  addDrift(contracts);
}

function addCheck(contracts: Command): void {
  const reports: ReportArgument[] = [];
  contracts
    .command('check')
    .description('report what the changes since the last commit break')
    .option(...directoryOption)
    .option('--subgraph <candidate>', candidateHelp, collectValues)
    .option(
      '--against <ref|dir>',
      'compare with the store at a Git revision or in another directory (default: the last commit; with --subgraph, the store in its directory)',
    )
    .option('--environment <name>', 'compare with the versions that run there (environments.yaml)')
    .option(
      '--gateway-config <file>',
      'configuration file of the gateways, for its limits and its cache and enrichment rules',
    )
    .option(
      '--step-latency <time>',
      'duration of one fetch, such as 40ms: compares plans with `@slo latency`',
    )
    .option(...strictOption)
    .option(...formatOption(reports))
    .option(...outOption(reports))
    .action((options) => exitWith(async () => (await import('./check.ts')).contractsCheck(options, reports)));
}

function addAccept(contracts: Command): void {
  contracts
    .command('accept')
    .description('write a candidate schema or recorded operations into the store')
    .option(...directoryOption)
    .option('--subgraph <candidate>', candidateHelp, collectValues)
    .option(
      '--operations <path>',
      'operations that gateways have recorded: the directory, or a part of it; repeatable',
      collectValues,
    )
    .requiredOption('--reason <text>', 'the reason, for CHANGELOG.md; required')
    .option('--force', 'accept even if the check fails')
    .action((options) => exitWith(async () => (await import('./accept.ts')).contractsAccept(options)));
}

function addInit(contracts: Command): void {
  contracts
    .command('init')
    .description('create a store from running subgraphs or files')
    .option(...configOption)
    .option(...directoryOption)
    .option(
      '--subgraph <source>',
      'NAME=FILE or NAME=URL, instead of the configured subgraphs; repeatable',
      collectValues,
    )
    .option('--force', 'replace existing schemas')
    .action((options) => rethrowAsUndecided(async () => (await import('./init.ts')).contractsInit(options)));
}

function addCanDeploy(contracts: Command): void {
  const reports: ReportArgument[] = [];
  contracts
    .command('can-deploy')
    .description('say whether a subgraph can be deployed now, why not, and in which order')
    .option(...directoryOption)
    .requiredOption(
      '--subgraph <name>',
      'NAME for its contract; NAME=FILE or NAME=URL for a candidate; required',
    )
    .requiredOption('--environment <name>', 'the environment to deploy to; required')
    .option(...formatOption(reports))
    .option(...outOption(reports))
    .action((options) =>
      exitWith(async () => (await import('./canDeploy.ts')).contractsCanDeploy(options, reports)),
    );
}

function addDrift(contracts: Command): void {
  const reports: ReportArgument[] = [];
  contracts
    .command('drift')
    .description('compare the running subgraphs with their contracts and with the running supergraph')
    .option(...directoryOption)
    .option(...configOption)
    .option(
      '--subgraph <address>',
      'NAME or NAME=URL: compare only this running subgraph; repeatable',
      collectValues,
    )
    .option('--gateway <url>', "URL of a gateway's admin listener, to read the running supergraph")
    .option(...strictOption)
    .option('--watch', 'keep running until a signal, and report changes')
    .option('--interval <time>', 'with --watch: the time between two checks', '30s')
    .option(...formatOption(reports))
    .option(...outOption(reports))
    .action((options) => exitWith(async () => (await import('./drift.ts')).contractsDrift(options, reports)));
}

async function exitWith(run: () => Promise<number>): Promise<void> {
  process.exitCode = await rethrowAsUndecided(run);
}

function formatOption(reports: ReportArgument[]) {
  const help = 'text (default), json, junit, sarif, github, markdown or gitlab; repeatable';
  return ['--format <format>', help, collectReport(reports, 'format')] as const;
}

function outOption(reports: ReportArgument[]) {
  const help = 'file for the preceding --format (default: standard output)';
  return ['--out <file>', help, collectReport(reports, 'out')] as const;
}

/** Collects both options in the order of the command line, because each `--out` belongs to the `--format` before it. */
function collectReport(reports: ReportArgument[], option: ReportArgument['option']) {
  return (value: string) => {
    reports.push({ option, value });
    return value;
  };
}

/** Collects the values of an option that can be given several times. */
export function collectValues(value: string, earlier: readonly string[] = []): string[] {
  return [...earlier, value];
}

/** Lets heaps grow by a quarter between garbage collections. By default V8 lets them grow up to four times when the
 *  machine has the memory, so that a check of a large graph would take most of a small CI machine. Costs about a
 *  tenth more time. */
function limitHeapGrowth(): void {
  setFlagsFromString('--heap-growing-percent=25');
}
