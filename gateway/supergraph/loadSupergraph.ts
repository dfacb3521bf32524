import { createHash } from 'node:crypto';
import { buildASTSchema, type GraphQLSchema, parse, validateSchema } from 'graphql';
import type { StartPlannerThread } from '../planning/plannerThread.ts';
import { createWorkerPlanner, type PlanningLimits, type WorkerPlanner } from '../planning/workerPlanner.ts';
import { yieldToEventLoop } from '../time/yieldToEventLoop.ts';
import { messageOf } from './messageOf.ts';
import type { SubgraphEntry, Supergraph } from './supergraph.ts';
import { SupergraphRefusedError } from './supergraphRefusedError.ts';

interface LoadSupergraphOptions {
  readonly sdl: string;
  /** URLs by subgraph name, instead of the supergraph's. Names that it does not have are ignored. Left out where
   *  no subgraph will be called, as for planning alone: then a subgraph may be without a URL. */
  readonly urls?: ReadonlyMap<string, string> | undefined;
  readonly planning: PlanningLimits;
  /** Ends the loading; the promise is rejected with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  readonly startThread?: StartPlannerThread | undefined;
}

/** `Supergraph.id` of an SDL. */
export function supergraphId(sdl: string): string {
  return createHash('sha256').update(sdl).digest('hex');
}

/** Makes a snapshot that is ready for its first operation: planner's thread up, API schema built and checked.
 *  Whoever takes it closes its planner. Errors: `SupergraphRefusedError` that names the cause. */
export async function loadSupergraph(options: LoadSupergraphOptions): Promise<Supergraph> {
  const { sdl, urls, planning, signal, startThread } = options;
  const planner = await createWorkerPlanner({ sdl, signal, startThread, ...planning }).catch(
    (error: unknown) => {
      if (signal?.aborted) throw error;
      throw new SupergraphRefusedError(messageOf(error), {
        cause: error,
      });
    },
  );
  return createSnapshot(planner, { sdl, urls });
}

/** The snapshot with a planner that has loaded its SDL, and that is closed where it cannot be used. Errors:
 *  `SupergraphRefusedError`. */
async function createSnapshot(
  planner: WorkerPlanner,
  { sdl, urls }: Pick<LoadSupergraphOptions, 'sdl' | 'urls'>,
): Promise<Supergraph> {
  try {
    return {
      id: supergraphId(sdl),
      sdl,
      apiSchema: await buildApiSchema(planner.apiSchemaSdl),
      subgraphs: resolveSubgraphEntries(planner, urls),
      overrides: planner.overrides,
      planner,
    };
  } catch (error) {
    await planner.close();
    throw error;
  }
}

/** Operations go on between the steps, each of which is long for a large schema. */
async function buildApiSchema(apiSchemaSdl: string): Promise<GraphQLSchema> {
  const document = parse(apiSchemaSdl, { noLocation: true });
  await yieldToEventLoop();
  // The loader made it from a valid supergraph: checking the SDL again would double the time this blocks.
  const schema = buildASTSchema(document, { assumeValidSDL: true });
  await yieldToEventLoop();
  // Kept by the schema; otherwise the first client's validation would pay for it.
  const [problem] = validateSchema(schema);
  if (problem !== undefined) throw new SupergraphRefusedError(`API schema: ${problem.message}`);
  return schema;
}

function resolveSubgraphEntries(
  planner: WorkerPlanner,
  urls: ReadonlyMap<string, string> | undefined,
): ReadonlyMap<string, SubgraphEntry> {
  const entries = planner.subgraphs.map(({ name, url }) => ({ name, url: urls?.get(name) ?? url }));
  if (urls !== undefined) {
    const unreachable = entries.filter(({ url }) => !isHttpUrl(url));
    if (unreachable.length > 0)
      throw new SupergraphRefusedError(unreachable.map(describeUnreachable).join('\n'));
  }
  return new Map(entries.map((entry) => [entry.name, entry] as const));
}

function isHttpUrl(url: string): boolean {
  return /^https?:\/\//i.test(url) && URL.canParse(url);
}

function describeUnreachable({ name, url }: SubgraphEntry): string {
  const found = url === '' ? 'the supergraph has no URL' : `the supergraph's URL is ${JSON.stringify(url)}`;
  return `subgraph "${name}": ${found}; set subgraphs.${name}.url to an http:// or https:// address`;
}
