import { setFlagsFromString } from 'node:v8';
import type { Command } from 'commander';
import { exitUndecided, rethrowAsUndecided } from './commandErrors.ts';
import type { ReportArgument } from './reportOutputs.ts';

const directoryOption = [
  '-d, --directory <dir>',
  'the store (default: contracts.directory of tributary.yaml, where it exists, or contracts)',
] as const;
const candidateHelp = 'NAME=FILE or NAME=URL: what a subgraph wants to serve; may be given several times';

/** Adds the command `contracts` and its subcommands. */
export function addContractsCommands(program: Command): void {
  const contracts = program
    .command('contracts')
    .description('what subgraphs and clients have agreed on, and what a change would break')
    .hook('preAction', async (_, command) => {
      limitHeapGrowth();
      // Errors outside of the command's promise, such as those of a thread.
      process.on('uncaughtException', exitUndecided);
      const { directory, config } = command.opts<{ directory?: string; config?: string }>();
      if (directory !== undefined) return;
      const { storeDirectory } = await import('./storeDirectory.ts');
      command.setOptionValue('directory', await rethrowAsUndecided(async () => storeDirectory(config)));
    });

  // In the order of the command line, because each --out belongs to the --format before it.
  const reportArguments: ReportArgument[] = [];
  const note = (option: ReportArgument['option']) => (value: string) => {
    reportArguments.push({ option, value });
    return value;
  };
  contracts
    .command('check')
    .description('say what breaks: by default, of what has changed since the last commit')
    .option(...directoryOption)
    .option('--subgraph <candidate>', candidateHelp, collectValues)
    .option('--against <ref|dir>', 'compare with the store at a Git revision, or in another directory')
    .option('--environment <name>', 'compare with what runs there, by environments.yaml')
    .option('--gateway-config <file>', 'configuration of the gateways, for its cache and enrichment rules')
    .option('--step-latency <time>', 'how long a fetch takes: compare plans with `@slo latency`')
    .option('--strict', 'fail on what is dangerous too')
    .option(
      '--format <format>',
      'text, json, junit, sarif, github, markdown or gitlab; may be given several times',
      note('format'),
    )
    .option('--out <file>', 'write the --format before it into a file', note('out'))
    .action(async (options) => {
      const { contractsCheck } = await import('./check.ts');
      process.exitCode = await rethrowAsUndecided(() => contractsCheck(options, reportArguments));
    });

  contracts
    .command('accept')
    .description('take what a subgraph wants to serve into the store')
    .option(...directoryOption)
    .requiredOption('--subgraph <candidate>', candidateHelp, collectValues)
    .requiredOption('--reason <text>', 'why, for CHANGELOG.md')
    .option('--force', 'even if the check fails')
    .action(async (options) => {
      const { contractsAccept } = await import('./accept.ts');
      process.exitCode = await rethrowAsUndecided(() => contractsAccept(options));
    });

  contracts
    .command('init')
    .description('make a store from running subgraphs or files')
    .option('-c, --config <file>', 'where the subgraphs are named (default: tributary.yaml, where it exists)')
    .option(...directoryOption)
    .option('--subgraph <source>', 'NAME=FILE or NAME=URL, instead of the configured ones', collectValues)
    .option('--force', 'replace schemas that are there')
    .action(async (options) => {
      const { contractsInit } = await import('./init.ts');
      await rethrowAsUndecided(() => contractsInit(options));
    });

  contracts
    .command('can-deploy')
    .description('say whether a subgraph can be deployed now, or why not and in which order')
    .option(...directoryOption)
    .requiredOption('--subgraph <name>', 'NAME for its contract; NAME=FILE or NAME=URL for a candidate')
    .requiredOption('--environment <name>', 'where to')
    .action(async (options) => {
      const { contractsCanDeploy } = await import('./canDeploy.ts');
      process.exitCode = await rethrowAsUndecided(() => contractsCanDeploy(options));
    });

  contracts
    .command('drift')
    .description('compare what runs with what was agreed on, and with the running supergraph')
    .option(...directoryOption)
    .option('-c, --config <file>', 'where the subgraphs are named (default: tributary.yaml, where it exists)')
    .option('--subgraph <address>', 'NAME=URL of one that runs; may be given several times', collectValues)
    .option('--gateway <url>', "a gateway's admin listener, to ask for the running supergraph")
    .option('--strict', 'fail on what is dangerous too')
    .option('--watch', 'go on until a signal, and report what changes')
    .option('--interval <time>', 'with --watch: the time between two looks', '30s')
    .option(
      '--format <format>',
      'text, json, junit, sarif, github, markdown or gitlab; may be given several times',
      note('format'),
    )
    .option('--out <file>', 'write the --format before it into a file', note('out'))
    .action(async (options) => {
      const { contractsDrift } = await import('./drift.ts');
      process.exitCode = await rethrowAsUndecided(() => contractsDrift(options, reportArguments));
    });
}

function collectValues(value: string, earlier: readonly string[] = []): string[] {
  return [...earlier, value];
}

/** Lets heaps grow by a quarter between garbage collections. By default V8 lets them grow up to four times when the
 *  machine has the memory, so that a check of a large graph would take most of a small CI machine. Costs about a
 *  tenth more time. */
function limitHeapGrowth(): void {
  setFlagsFromString('--heap-growing-percent=25');
}
