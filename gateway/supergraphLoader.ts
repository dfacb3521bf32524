import type { GatewayConfig } from './config/schema.ts';
import { configuredUrlsOf } from './config/subgraphPolicyOf.ts';
import type { Feature, SupergraphFindings } from './feature.ts';
import type { Preparer } from './operation/preparer.ts';
import type { StartPlannerThread } from './planning/plannerThread.ts';
import { toPlanningLimits } from './planning/toPlanningLimits.ts';
import { loadSupergraph } from './supergraph/loadSupergraph.ts';
import { parseSchemaInSlices } from './supergraph/readSchemaInSlices.ts';
import type { Supergraph } from './supergraph/supergraph.ts';
import { SupergraphHolder, type SupergraphHolderOptions } from './supergraph/supergraphHolder.ts';
import { SupergraphRefusedError } from './supergraph/supergraphRefusedError.ts';
import type { Logger } from './telemetry/logger.ts';
import { resolveInSlices } from './time/slicedTask.ts';
import { yieldToEventLoop } from './time/yieldToEventLoop.ts';

interface SupergraphLoaderOptions {
  readonly config: GatewayConfig;
  readonly log: Logger;
  /** Complete before the first supergraph is loaded. */
  readonly features: readonly Feature[];
  readonly preparer: Preparer;
  readonly startPlannerThread?: StartPlannerThread | undefined;
}

/** Creates the holder of a gateway's supergraphs. Each is read by the features, and the most used operations are planned
 *  before it is used. */
export function createSupergraphs(options: SupergraphLoaderOptions): SupergraphHolder {
  const { config, preparer } = options;
  return new SupergraphHolder({
    load: createSupergraphLoader(options),
    warm: (next, previous, signal) => preparer.warm(next, previous, config.planning.warmOperations, signal),
    warmTimeoutMs: config.planning.warmTimeout,
    onRetired: (supergraph) => preparer.evict(supergraph),
  });
}

/** Creates the function that loads a supergraph: compiles planner and API schema, and lets every feature read and admit it.
 *  The function throws `SupergraphRefusedError` with every problem that the features report. */
function createSupergraphLoader(options: SupergraphLoaderOptions): SupergraphHolderOptions['load'] {
  const { config, features, log } = options;
  return async (sdl, signal, previous) => {
    const loaded = await loadSupergraph({
      sdl,
      signal,
      urls: configuredUrlsOf(config),
      planning: toPlanningLimits(config.planning),
      startThread: options.startPlannerThread,
      onThreadFailure: (err) => log.error({ err }, 'A planner thread failed; another one is started'),
    });
    try {
      const supergraph = await readFeatures(loaded, previous === undefined, options);
      for (const feature of features) await feature.admitSupergraph?.(supergraph, previous, signal);
      return supergraph;
    } catch (error) {
      await loaded.planner.close();
      throw error;
    }
  };
}

/** Yields to the event loop between the features, each of which may read every type of the supergraph. */
async function readFeatures(
  loaded: Supergraph,
  isFirst: boolean,
  { features, log }: SupergraphLoaderOptions,
): Promise<Supergraph> {
  const document = await resolveInSlices(parseSchemaInSlices(loaded.sdl));
  const findings: SupergraphFindings[] = [];
  for (const feature of features) {
    const finding = feature.readSupergraph?.({ supergraph: loaded, document });
    if (finding !== undefined) findings.push(finding);
    await yieldToEventLoop();
  }
  const unknown = findings.flatMap(({ unknownNames = [] }) => unknownNames);
  const problems = findings.flatMap((finding) => finding.problems ?? []);
  if (isFirst) problems.push(...unknown);
  if (problems.length > 0) throw new SupergraphRefusedError(problems.join('\n'));
  if (unknown.length > 0) {
    log.warn({ unknown }, 'The configuration names types or fields that the supergraph does not have');
  }
  const warnings = findings.flatMap((finding) => finding.warnings ?? []);
  if (warnings.length > 0) log.warn({ warnings }, 'The supergraph has rules without effect');
  let supergraph = loaded;
  for (const { attach } of findings) {
    supergraph = attach?.(supergraph) ?? supergraph;
    await yieldToEventLoop();
  }
  return supergraph;
}
