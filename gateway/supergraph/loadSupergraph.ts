import { hash } from 'node:crypto';
import { type DocumentNode, type GraphQLSchema, parse } from 'graphql';
import { hasCredentials } from '../config/addressSecrets.ts';
import { isHttpUrl } from '../config/isHttpUrl.ts';
import { messageOf } from '../errors.ts';
import type { StartPlannerThread } from '../planning/plannerThread.ts';
import { ThreadStartError } from '../planning/threadStartError.ts';
import { findCircularDefault, removeUnprintableDefaults } from '../planning/unprintableDefaults.ts';
import { createWorkerPlanner, type PlanningLimits, type WorkerPlanner } from '../planning/workerPlanner.ts';
import { resolveInSlices } from '../time/slicedTask.ts';
import { yieldToEventLoop } from '../time/yieldToEventLoop.ts';
import { buildSchemaInSlices, parseSchemaInSlices, validateSchemaInSlices } from './readSchemaInSlices.ts';
import type { SubgraphAddress } from './sources/fetchSubgraphSdl.ts';
import type { Supergraph } from './supergraph.ts';
import { SupergraphRefusedError } from './supergraphRefusedError.ts';

interface LoadSupergraphOptions {
  readonly sdl: string;
  /** URLs by subgraph name, which override those of the supergraph. Unknown names are ignored. Omit it when no subgraph
   *  will be called, as for planning only: subgraphs may then lack a URL. */
  readonly urls?: ReadonlyMap<string, string> | undefined;
  readonly planning: PlanningLimits;
  /** Aborts loading. The promise is then rejected with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  readonly startThread?: StartPlannerThread | undefined;
  /** Called when a planner thread fails later and no operation is at fault. The planner starts another one. */
  readonly onThreadFailure?: (cause: unknown) => void;
}

/** `Supergraph.id` of an SDL. */
export function supergraphId(sdl: string): string {
  return hash('sha256', sdl, 'hex');
}

/** Loads a supergraph: starts its planner, and builds and validates its API schema. The caller must close the planner.
 *  @throws {SupergraphRefusedError} with the reason.
 *  @throws {ThreadStartError} */
export async function loadSupergraph(options: LoadSupergraphOptions): Promise<Supergraph> {
  const { sdl, urls, planning, ...threads } = options;
  const { signal } = threads;
  const planner = await createWorkerPlanner({ sdl, ...threads, ...planning }).catch((error: unknown) => {
    if (signal?.aborted || error instanceof ThreadStartError) throw error;
    const reason = isOtherSchema(sdl) ? otherSchemaReason : messageOf(error);
    throw new SupergraphRefusedError(reason, { cause: error });
  });
  return createSnapshot(planner, { sdl, urls });
}

const otherSchemaReason =
  'the schema has no enum join__Graph, so it is not a supergraph. The schemas of subgraphs are composed with `tributary compose`.';

/** Whether this is a schema, and not that of a supergraph. The loader reports only the definitions that such a schema
 *  lacks. */
function isOtherSchema(sdl: string): boolean {
  if (sdl.includes('join__Graph')) return false;
  try {
    return parse(sdl, { noLocation: true }).definitions.length > 0;
  } catch {
    return false;
  }
}

/** Creates the snapshot for a loaded planner. Closes the planner on failure.
 *  @throws {SupergraphRefusedError} */
async function createSnapshot(
  planner: WorkerPlanner,
  { sdl, urls }: Pick<LoadSupergraphOptions, 'sdl' | 'urls'>,
): Promise<Supergraph> {
  try {
    return {
      id: supergraphId(sdl),
      sdl,
      apiSchema: await buildApiSchema(planner.apiSchemaSdl),
      subgraphs: resolveSubgraphAddresses(planner, urls),
      overrides: planner.overrides,
      names: planner.names,
      planner,
    };
  } catch (error) {
    await planner.close();
    throw error;
  }
}

/** Yields to the event loop, because each step takes a long time with a large schema. */
async function buildApiSchema(apiSchemaSdl: string): Promise<GraphQLSchema> {
  const document = await resolveInSlices(parseSchemaInSlices(apiSchemaSdl));
  const schema = await buildSchema(document);
  await yieldToEventLoop();
  // Otherwise the first operation would wait for this validation.
  const problem = await resolveInSlices(validateSchemaInSlices(schema));
  if (problem !== undefined)
    throw new SupergraphRefusedError(`the API schema is invalid: ${problem.message}`);
  return schema;
}

async function buildSchema(document: DocumentNode): Promise<GraphQLSchema> {
  try {
    // The SDL comes from a valid supergraph, so that it is not validated again.
    const schema = await resolveInSlices(buildSchemaInSlices(document));
    await yieldToEventLoop();
    await resolveInSlices(removeUnprintableDefaults(schema));
    return schema;
  } catch (error) {
    // The stack has overflowed.
    const coordinate = findCircularDefault(document);
    if (coordinate === undefined) throw error;
    throw new SupergraphRefusedError(
      `the default value of the input field ${coordinate} leads back to ${coordinate} through the defaults of input types. Remove one of these defaults.`,
      { cause: error },
    );
  }
}

function resolveSubgraphAddresses(
  planner: WorkerPlanner,
  urls: ReadonlyMap<string, string> | undefined,
): ReadonlyMap<string, SubgraphAddress> {
  const entries = planner.subgraphs.map(({ name, url }) => ({ name, url: urls?.get(name) ?? url }));
  if (urls !== undefined) {
    // Also those that the configuration overrides: the SDL has many readers.
    const secret = planner.subgraphs.filter(({ url }) => hasCredentials(url));
    if (secret.length > 0) throw new SupergraphRefusedError(secret.map(describeSecret).join('\n'));
    const unreachable = entries.filter(({ url }) => !isHttpUrl(url));
    if (unreachable.length > 0)
      throw new SupergraphRefusedError(unreachable.map(describeUnreachable).join('\n'));
  }
  return new Map(entries.map((entry) => [entry.name, entry] as const));
}

function describeSecret({ name }: SubgraphAddress): string {
  return `subgraph "${name}": the supergraph's URL has a user name or a password, which everyone who reads the supergraph sees; remove them and use headers instead, such as \`authorization\` of clients (subgraphs.${name}.headers.forward) or of a proxy in front of the subgraph`;
}

function describeUnreachable({ name, url }: SubgraphAddress): string {
  const found = url === '' ? 'the supergraph has no URL' : `the supergraph's URL is ${JSON.stringify(url)}`;
  return `subgraph "${name}": ${found}; set subgraphs.${name}.url to an http:// or https:// address`;
}
