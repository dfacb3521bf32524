#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { addContractsCommands } from './cli/contracts/commands.ts';
import { CommandError, exitCode } from './cli/exitCode.ts';
import { rejectRepeatedOptions } from './cli/rejectRepeatedOptions.ts';
import { ConfigError } from './config/configError.ts';

// Each command is imported when it is called: planner and composer take longer to load than most commands run.
const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
const program = new Command('tributary')
  .description('A GraphQL federation gateway that never makes a client wait for a slow subgraph.')
  .version(version, '-V, --version', 'print the version')
  .exitOverride()
  .showHelpAfterError('See `tributary --help`.');

const configOption = [
  '-c, --config <file>',
  'configuration (default: tributary.yaml, where it exists)',
] as const;
const supergraphOption = [
  '-s, --supergraph <file>',
  'supergraph SDL, instead of the configured one',
] as const;

program
  .command('serve')
  .description('run the gateway; SIGTERM drains it, a second one ends it at once')
  .option(...configOption)
  .option(...supergraphOption)
  .option('--host <host>', 'host name or address to listen on')
  .option('-p, --port <port>', 'TCP port; 0 takes any free one')
  .option('--workers <count>', 'processes that share the port, or auto for one per processor')
  .action(async (options) => {
    const { serve } = await import('./cli/serve.ts');
    // Nothing that is left behind (a library's timer, a worker's message channel) may hold the process back.
    process.exit(await serve(options).catch(report));
  });

program
  .command('compose')
  .description('compose the configured subgraphs; prints the supergraph SDL')
  .option(...configOption)
  .option('-o, --out <file>', 'write the supergraph into a file')
  .action(async (options) => {
    const { compose } = await import('./cli/compose.ts');
    await compose(options);
  });

program
  .command('plan')
  .description('print how an operation is planned, what is deferred and what takes longest')
  .argument('<operation>', 'file with the operation')
  .option(...configOption)
  .option(...supergraphOption)
  .option('--operation <name>', 'which operation, where the file has several')
  .option(
    '--override <label>',
    'a label of progressive @overrides that is on; may be given several times',
    collect,
  )
  .option('--json', 'print the plan as JSON')
  .action(async (operation, options) => {
    const { plan } = await import('./cli/plan.ts');
    process.stdout.write(await plan(operation, options));
  });

const config = program.command('config').description('show what can be configured and what is');
config
  .command('print')
  .description('print the configuration in effect, defaults included, without secrets')
  .option(...configOption)
  .option(...supergraphOption)
  .action(async (options) => {
    const { printEffectiveConfig } = await import('./cli/configCommands.ts');
    process.stdout.write(printEffectiveConfig(options));
  });
config
  .command('schema')
  .description('print the JSON Schema of a configuration file, for editors')
  .action(async () => {
    const { printConfigJsonSchema } = await import('./cli/configCommands.ts');
    process.stdout.write(printConfigJsonSchema());
  });

addContractsCommands(program);
rejectRepeatedOptions(program);

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = report(error);
}

function collect(value: string, earlier: readonly string[] = []): string[] {
  return [...earlier, value];
}

function report(error: unknown): number {
  // Commander has printed its message; it reports `--help` in the same way, with 0.
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCode.success : exitCode.usageError;
  if (error instanceof ConfigError) {
    console.error(error.message);
    return exitCode.usageError;
  }
  if (error instanceof CommandError) {
    console.error(error.message);
    return error.exitCode;
  }
  // What the operating system refuses (a port in use) is the operator's to solve: no stack.
  if (error instanceof Error && 'syscall' in error) {
    console.error(`The gateway cannot run: ${error.message}`);
    return exitCode.failed;
  }
  console.error(error instanceof Error ? (error.stack ?? error.message) : error);
  return exitCode.failed;
}
