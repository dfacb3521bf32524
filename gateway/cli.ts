#!/usr/bin/env node
import './requireNode.ts';

import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { enablePrivateCompileCache } from './cli/compileCache.ts';
import { addContractsCommands, collectValues } from './cli/contracts/commands.ts';
import { CommandError, exitCode } from './cli/exitCode.ts';
import { endAtOutputErrors, ignoreOutputErrors } from './cli/outputErrors.ts';
import { rejectInvalidOptions } from './cli/rejectInvalidOptions.ts';
import { postponeBackgroundWorkOnOneCore } from './cli/singleCore.ts';
import { restartWithYoungGeneration } from './cli/youngGeneration.ts';
import { ConfigError } from './config/configError.ts';

endAtOutputErrors();

// Each command is imported on demand, because loading the planner and the composer takes longer than most commands.
const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
const program = new Command('tributary')
  .description('A GraphQL federation gateway that never makes a client wait for a slow subgraph.')
  .version(version, '-V, --version', 'print the version')
  .addHelpText(
    'after',
    `\nExit codes:
  0  fine
  1  what was checked does not hold, or the gateway could not run
  2  wrong usage or configuration
  3  undecided, because a subgraph does not answer`,
  )
  .exitOverride();

const configOption = [
  '-c, --config <file>',
  'configuration file (default: tributary.yaml, if it exists)',
] as const;
const supergraphOption = [
  '-s, --supergraph <file>',
  'supergraph SDL file, overrides the configured supergraph',
] as const;
const hostOption = ['--host <host>', 'host name or address to listen on (default: listen.host)'] as const;
const portOption = ['-p, --port <port>', 'TCP port; 0 selects a free port (default: listen.port)'] as const;
const adminPortOption = [
  '--admin-port <port>',
  'TCP port of the admin listener (default: admin.port)',
] as const;

program
  .command('serve')
  .description(
    'run the gateway; SIGTERM drains it after listen.shutdownDelay, a second one at once, a third one ends it',
  )
  .option(...configOption)
  .option(...supergraphOption)
  .option(...hostOption)
  .option(...portOption)
  .option(...adminPortOption)
  .option(
    '--workers <count>',
    'processes that share the port, or auto for one per CPU (default: workers of the configuration)',
  )
  .action(async (options) => {
    // Lets graphql-js validate without its checks for several copies of itself, an eighth faster. Before it is loaded.
    process.env.NODE_ENV ||= 'production';
    // First, so that the modules of the gateway are loaded once. A supervisor of workers does not need the restart.
    if (options.workers === undefined) restartWithYoungGeneration();
    ignoreOutputErrors();
    enablePrivateCompileCache();
    const resumeBackgroundWork = postponeBackgroundWorkOnOneCore();
    const { serve } = await import('./cli/serve.ts');
    // Exits explicitly, because timers of libraries or message channels could keep the process running.
    process.exit(await serve(options, resumeBackgroundWork).catch(report));
  });

program
  .command('dev')
  .description(
    'run the gateway for development: it starts again when its configuration or an extension changes',
  )
  .option(...configOption)
  .option(...supergraphOption)
  .option(...hostOption)
  .option(...portOption)
  .option(...adminPortOption)
  .action(async (options) => {
    ignoreOutputErrors();
    const { dev } = await import('./cli/dev.ts');
    process.exit(await dev(options).catch(report));
  });

program
  .command('init')
  .description(
    'write a commented configuration for a supergraph, for running subgraphs, or from Apollo Router',
  )
  .option('-s, --supergraph <file>', 'supergraph SDL file')
  .option('--subgraph <name=url>', 'a running subgraph to compose; repeatable', collectValues)
  .option('--apollo-router <file>', 'configuration of Apollo Router (router.yaml) to translate')
  .option('-o, --out <file>', 'file to write (default: tributary.yaml)')
  .option('--force', 'replace an existing file')
  .action(async (options) => {
    const { init } = await import('./cli/init.ts');
    init(options);
  });

program
  .command('compose')
  .description('compose the configured subgraphs and print the supergraph SDL')
  .option(...configOption)
  .option('-o, --out <file>', 'file to write the supergraph to (default: standard output)')
  .action(async (options) => {
    const { compose } = await import('./cli/compose.ts');
    await compose(options);
  });

program
  .command('plan')
  .description('print the query plan of an operation, its deferred parts and its critical path')
  .argument('<operation>', 'file with the operation')
  .option(...configOption)
  .option(...supergraphOption)
  .option('--operation <name>', 'operation name, for a file with several operations')
  .option('--override <label>', 'active label of progressive @override; repeatable', collectValues)
  .option('--json', 'print the plan as JSON')
  .action(async (operation, options) => {
    const { plan } = await import('./cli/plan.ts');
    process.stdout.write(await plan(operation, options));
  });

const config = program.command('config').description('check or show the configuration, or its schema');
config
  .command('check')
  .description(
    'check the configuration without starting: options, files, extensions, and whether it fits the supergraph',
  )
  .option(...configOption)
  .option(...supergraphOption)
  .option('--json', 'print the problems and warnings as JSON')
  .action(async (options) => {
    const { checkConfig } = await import('./cli/checkConfig.ts');
    // Exits explicitly: extensions may have left timers or connections.
    process.exit(await checkConfig(options).catch(report));
  });
config
  .command('print')
  .description('print the effective configuration with defaults and without secrets')
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
rejectInvalidOptions(program);

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = report(error);
}

function report(error: unknown): number {
  // Commander has already printed the message. It also throws for `--help`, with exit code 0.
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCode.success : exitCode.usageError;
  if (error instanceof ConfigError) {
    console.error(error.message);
    return exitCode.usageError;
  }
  if (error instanceof CommandError) {
    console.error(error.message);
    return error.exitCode;
  }
  // Errors of system calls, such as a port in use, are for the operator and need no stack trace.
  if (error instanceof Error && 'syscall' in error) {
    console.error(`The gateway cannot run: ${error.message}`);
    return exitCode.failed;
  }
  console.error(error instanceof Error ? (error.stack ?? error.message) : error);
  return exitCode.failed;
}
