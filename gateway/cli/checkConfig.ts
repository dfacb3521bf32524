import { warnAboutAudiences } from '../admission/authentication/authentication.ts';
import { anonymousClient } from '../admission/identity.ts';
import { ConfigError, type ConfigProblem, collectProblems } from '../config/configError.ts';
import { type ConfigOverrides, loadConfigWithSources } from '../config/loadConfig.ts';
import type { GatewayConfig } from '../config/schema.ts';
import { describeReadError } from '../files/describeReadError.ts';
import { readTextFile } from '../files/readTextFile.ts';
import { createGateway } from '../gateway.ts';
import { createLogger } from '../telemetry/logger.ts';
import { composeSubgraphs } from './composeSubgraphs.ts';
import { CommandError, type ExitCode, exitCode } from './exitCode.ts';
import { readSupergraph } from './readSupergraph.ts';
import { reportExits, reportUncaughtErrors } from './unhandledErrors.ts';

interface CheckConfigOptions extends ConfigOverrides {
  readonly config?: string | undefined;
  readonly json?: boolean | undefined;
}

interface ConfigReport {
  readonly problems: readonly ConfigProblem[];
  /** What a start would log as warnings. */
  readonly warnings: readonly string[];
}

/** Checks a configuration as a start does: its options, the files and extensions that it names, and whether it fits its
 *  supergraph. Nothing listens, and nothing connects to Redis, to issuers of tokens or to collectors. Prints the report.
 *  @throws {ConfigError} with every problem.
 *  @throws {CommandError} when the supergraph cannot be fetched or composed. */
export async function checkConfig({ json, ...options }: CheckConfigOptions): Promise<ExitCode> {
  const warnings: string[] = [];
  try {
    await check(options, warnings);
  } catch (error) {
    if (json && error instanceof ConfigError) {
      printReport({ problems: error.problems, warnings });
      return exitCode.usageError;
    }
    if (json && error instanceof CommandError) {
      printReport({ problems: [supergraphProblem(error.message)], warnings });
      return error.exitCode;
    }
    throw error;
  } finally {
    for (const warning of json ? [] : warnings) console.error(`Warning: ${warning}`);
  }
  if (json) printReport({ problems: [], warnings });
  else console.log('The configuration is valid.');
  return exitCode.success;
}

function printReport(report: ConfigReport): void {
  process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
}

async function check(
  { config: file, ...overrides }: Omit<CheckConfigOptions, 'json'>,
  warnings: string[],
): Promise<void> {
  const { config, locate } = loadConfigWithSources({ file, overrides, env: process.env });
  const problems: ConfigProblem[] = [];
  let failure: CommandError | undefined;
  const sdl = await collectProblems(problems, readSdl(config)).catch((error: unknown) => {
    if (!(error instanceof CommandError)) throw error;
    failure = error;
    return undefined;
  });
  const removeErrorHandler = reportUncaughtErrors(config, (problem) => problems.push(problem));
  const removeExitListener = reportExits(config);
  try {
    await collectProblems(problems, checkStart(config, sdl, warnings));
  } finally {
    removeErrorHandler();
    removeExitListener();
  }
  if (problems.length > 0) {
    if (failure !== undefined) problems.push(supergraphProblem(failure.message));
    throw new ConfigError(problems.map((problem) => ({ ...problem, location: locate(problem.path) })));
  }
  if (failure !== undefined) throw failure;
}

/** @throws {ConfigError} for a file that cannot be read.
 *  @throws {CommandError} when the supergraph cannot be fetched or composed. */
async function readSdl(config: GatewayConfig): Promise<string> {
  const { supergraph } = config;
  if ('subgraphs' in supergraph) return (await composeSubgraphs(supergraph, config)).sdl;
  if (!('file' in supergraph)) return readSupergraph(supergraph);
  const { file } = supergraph;
  const refuse = (problem: string) =>
    new ConfigError([
      { path: 'supergraph.file', message: `is ${file}, which ${problem}`, expected: 'a file with the SDL' },
    ]);
  const sdl = await readTextFile(file).catch((error: unknown) => {
    throw refuse(describeReadError(error));
  });
  if (sdl.trim() === '') throw refuse('is empty');
  return sdl;
}

/** The level of warnings in lines of pino. */
const warnLevel = 40;

/** Creates a gateway, and lets it load the supergraph if there is one. What the gateway logs is the report. */
async function checkStart(config: GatewayConfig, sdl: string | undefined, warnings: string[]): Promise<void> {
  const refusals: string[] = [];
  const write = (line: string): void => {
    const { level, time: _, msg, reason, ...fields } = JSON.parse(line);
    if (level > warnLevel) refusals.push(reason ?? msg);
    else warnings.push(`${msg}: ${JSON.stringify(fields)}`);
  };
  const logger = createLogger('warn', { write });
  // The gateway of the check has no section `jwt`, as it would fetch the keys.
  warnAboutAudiences(config.security, logger);
  // Rules with claims are valid, although no token is verified.
  const readIdentity = () => anonymousClient;
  const gateway = await createGateway(withoutConnections(config, sdl), { logger, readIdentity });
  try {
    if (sdl !== undefined) await gateway.start({ listen: false, admin: false });
  } finally {
    await gateway.close();
  }
  if (refusals.length > 0)
    throw new ConfigError(refusals.flatMap((refusal) => toProblems(refusal, config.supergraph)));
}

/** Features begin what they report with the path of an option, such as `cache.rules["Product.stock"]`. */
function toProblems(refusal: string, source: GatewayConfig['supergraph']): ConfigProblem[] {
  const lines = refusal
    .split('\n')
    .map(
      (line) =>
        /^(?<path>[a-z]\w*(?:\.[\w-]+|\[(?:\d+|"(?:[^"\\]|\\.)*")\])+): (?<problem>.+)$/.exec(line)?.groups,
    );
  if (lines.includes(undefined)) return [supergraphProblem(refusal, source)];
  return lines.map(({ path = '', problem } = {}) => ({
    path,
    message: `does not fit the supergraph: ${problem}`,
    expected: '',
  }));
}

function supergraphProblem(reason: string, source?: GatewayConfig['supergraph']): ConfigProblem {
  const problem = `cannot be used: ${reason.replaceAll('\n', '\n    ')}`;
  return source !== undefined && 'file' in source
    ? { path: 'supergraph.file', message: `is ${source.file}, which ${problem}`, expected: '' }
    : { path: 'supergraph', message: problem, expected: '' };
}

/** The configuration of a gateway that connects to nothing, and loads this supergraph. */
function withoutConnections(config: GatewayConfig, sdl = ''): GatewayConfig {
  const { listen, redis, cache, security, subscriptions, telemetry, contracts } = config;
  const { claim: _, ...identity } = security.identity ?? {};
  const topics = Object.entries(subscriptions.topics).map(
    ([field, { stream, topic = stream, ...rest }]) => [field, { topic, ...rest }] as const,
  );
  return {
    ...config,
    supergraph: { load: () => sdl, pollInterval: undefined },
    // A busy machine is no problem of the configuration.
    overload: { ...config.overload, eventLoopDelay: 0, memory: 1 },
    listen: {
      ...listen,
      // Only for callbacks, which need an address.
      publicUrl: listen.publicUrl || 'http://localhost',
      // For the validation of many trusted documents.
      drainTimeout: 60_000,
    },
    redis: {
      ...redis,
      url: '',
      cluster: { ...redis.cluster, nodes: [] },
      sentinel: { ...redis.sentinel, nodes: [] },
      // Without servers, a certificate is still read.
      tls: { ...redis.tls, enabled: redis.tls.enabled || redis.url.startsWith('rediss:') },
    },
    cache: { ...cache, events: { ...cache.events, stream: '' } },
    security: { ...security, jwt: undefined, identity },
    subscriptions: { ...subscriptions, topics: Object.fromEntries(topics) },
    telemetry: {
      ...telemetry,
      otlp: { ...telemetry.otlp, endpoint: '' },
      metrics: { ...telemetry.metrics, otlp: false },
    },
    contracts: { ...contracts, guard: 'off', record: { ...contracts.record, enabled: false } },
  };
}
