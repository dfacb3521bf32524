import { type ConfigOverrides, loadConfig } from '../config/loadConfig.ts';
import type { GatewayConfig } from '../config/schema.ts';
import { GatewayError, messageOf } from '../errors.ts';
import { prepareWithoutRequest } from '../operation/prepareWithoutRequest.ts';
import { describeUnknownOverride } from '../planning/overrideLabels.ts';
import { toPlanningLimits } from '../planning/toPlanningLimits.ts';
import { schemaSections } from '../subgraphs/schemaAccess.ts';
import { loadSupergraph } from '../supergraph/loadSupergraph.ts';
import { sourceLocationOf } from '../supergraph/sources/createSource.ts';
import type { Supergraph } from '../supergraph/supergraph.ts';
import { composeSubgraphs } from './composeSubgraphs.ts';
import { CommandError, exitCode } from './exitCode.ts';
import { printPlanReport } from './printPlanReport.ts';
import { readOperation } from './readOperation.ts';
import { readSupergraph } from './readSupergraph.ts';

interface PlanOptions extends ConfigOverrides {
  readonly config?: string | undefined;
  readonly operation?: string | undefined;
  readonly json?: boolean | undefined;
  /** Active labels of progressive `@override`s. All other labels are inactive. */
  readonly override?: readonly string[] | undefined;
}

/** Plans the operation in a file as the gateway does. `@include` and `@defer` with a variable count as true, `@skip` as
 *  false.
 *  @throws {CommandError} `usageError` for an invalid operation or supergraph, `failed` when the subgraphs do not compose,
 *  `undecided` when the planner fails or a subgraph schema cannot be fetched. */
export async function plan(file: string, options: PlanOptions): Promise<string> {
  const { config: configFile, operation, json, override = [], ...overrides } = options;
  const load = (sections: readonly (keyof GatewayConfig)[]): GatewayConfig =>
    loadConfig({
      file: configFile,
      overrides,
      sections: [...sections, 'limits', 'planning'],
      env: process.env,
    });
  const { supergraph: source } = load(['supergraph']);
  // The settings of subgraphs count only where their schemas have to be fetched.
  const config = load('subgraphs' in source ? schemaSections : ['supergraph']);
  const supergraph = await loadConfiguredSupergraph(config);
  try {
    const unknown = describeUnknownOverride(override, supergraph.overrides);
    if (unknown !== undefined) throw new CommandError(exitCode.usageError, unknown);
    const { limits } = config;
    const read = readOperation({ file, operationName: operation, schema: supergraph.apiSchema, limits });
    const prepared = prepareWithoutRequest({ ...read, supergraph, limits });
    const queryPlan = await prepared.plan(override);
    return json
      ? `${JSON.stringify(queryPlan, null, 2)}\n`
      : printPlanReport(queryPlan, prepared.normalized.root);
  } catch (error) {
    throw error instanceof GatewayError ? planningFailure(file, error) : error;
  } finally {
    await supergraph.planner.close();
  }
}

async function loadConfiguredSupergraph(config: GatewayConfig): Promise<Supergraph> {
  const { supergraph: source } = config;
  const sdl =
    'subgraphs' in source ? (await composeSubgraphs(source, config)).sdl : await readSupergraph(source);
  try {
    return await loadSupergraph({ sdl, planning: toPlanningLimits(config.planning) });
  } catch (cause) {
    const location = sourceLocationOf(config);
    const subject = location === undefined ? 'The supergraph' : `The supergraph of ${location}`;
    throw new CommandError(exitCode.usageError, `${subject} cannot be used: ${messageOf(cause)}`, { cause });
  }
}

function planningFailure(file: string, error: GatewayError): CommandError {
  const isRefused = error.code === 'OPERATION_TOO_COMPLEX';
  const cause = error.cause instanceof Error ? ` (${error.cause.message})` : '';
  return new CommandError(
    isRefused ? exitCode.usageError : exitCode.undecided,
    `${file}: ${error.message}${cause}`,
    { cause: error },
  );
}
