import { composeServices } from '@apollo/composition';
import { type DocumentNode, GraphQLError, parse, Source } from 'graphql';
import { maskSecrets } from '../config/addressSecrets.ts';
import { isStackOverflow, messageOf } from '../errors.ts';
import { checkNesting } from '../planning/checkNesting.ts';
import { defineOneOf, findInvalidOneOfFields } from '../planning/oneOfDirective.ts';
import { composeOneOf } from './composeOneOf.ts';
import { type CompositionDiagnostic, locationsOf } from './compositionDiagnostic.ts';
import { type AccessOfAddress, fetchSubgraphSdl } from './sources/fetchSubgraphSdl.ts';

export interface SubgraphInput {
  readonly name: string;
  /** Address in the supergraph. The SDL is fetched from it when `sdl` is omitted. */
  readonly url: string;
  readonly sdl?: string;
}

export type CompositionResult =
  | { readonly sdl: string; readonly hints: readonly CompositionDiagnostic[] }
  | { readonly errors: readonly CompositionDiagnostic[] };

/** Composes subgraphs, and returns the supergraph with all hints, or all errors. Composition blocks the thread; a running
 *  gateway uses `composeInThread`. A subgraph without a valid schema is an error in the result (`SUBGRAPH_UNREACHABLE`,
 *  `INVALID_GRAPHQL`), not a rejection. */
export async function composeSupergraph(
  subgraphs: readonly SubgraphInput[],
  accessOf?: AccessOfAddress,
): Promise<CompositionResult> {
  return composeFetched(await fetchSchemas(subgraphs, accessOf));
}

/** A subgraph with its SDL, or why it has none. */
export type FetchedSchema =
  | (SubgraphInput & { readonly sdl: string })
  | { readonly error: CompositionDiagnostic };

/** Fetches the schemas of the subgraphs that have none. */
export function fetchSchemas(
  subgraphs: readonly SubgraphInput[],
  accessOf?: AccessOfAddress,
): Promise<readonly FetchedSchema[]> {
  return Promise.all(subgraphs.map((subgraph) => fetchSchema(subgraph, accessOf)));
}

async function fetchSchema(
  { name, url, sdl }: SubgraphInput,
  accessOf: AccessOfAddress | undefined,
): Promise<FetchedSchema> {
  if (sdl !== undefined) return { name, url, sdl };
  try {
    const { signal } = new AbortController();
    return { name, url, sdl: await fetchSubgraphSdl({ name, url }, signal, accessOf?.({ name, url })) };
  } catch (error) {
    const reason = messageOf(error);
    const message = `[${name}] The schema could not be fetched from ${maskSecrets(url)}: ${reason}`;
    return { error: { code: 'SUBGRAPH_UNREACHABLE', message, locations: [] } };
  }
}

/** The second half of `composeSupergraph`. */
export function composeFetched(fetched: readonly FetchedSchema[]): CompositionResult {
  const read = fetched.map((entry) => ('error' in entry ? entry : parseSchema(entry)));
  const errors = read.flatMap((entry) => ('error' in entry ? [entry.error] : []));
  if (errors.length > 0) return { errors };

  const services = read.flatMap((entry) => ('typeDefs' in entry ? [entry] : []));
  const result = composeWithoutThrowing(services);
  const invalidFields = services.flatMap(({ name, typeDefs }) =>
    findInvalidOneOfFields(typeDefs).map((error) => invalidSchema(name, error)),
  );
  if (result.errors !== undefined || invalidFields.length > 0)
    return { errors: [...(result.errors ?? []).map(diagnosticOf), ...invalidFields] };
  const { sdl, hints } = composeOneOf(result.supergraphSdl, services);
  return {
    sdl,
    hints: [
      ...result.hints.map((hint) => ({
        code: hint.definition.code,
        message: hint.message,
        ...(hint.coordinate === undefined ? {} : { coordinate: hint.coordinate }),
        locations: locationsOf(hint.nodes),
      })),
      ...hints,
    ],
  };
}

/** The composer throws for some invalid schemas. It also follows each `@requires` to the inputs of its inputs, without an end
 *  where fields require each other. */
function composeWithoutThrowing(services: Parameters<typeof composeServices>[0]) {
  try {
    return composeServices(services);
  } catch (error) {
    if (error instanceof GraphQLError) return { errors: [error] };
    const message = isStackOverflow(error)
      ? 'The composer has no room on its stack for these schemas. Usually a @requires needs a field whose own @requires leads back to it: let one of these fields be resolved without the other.'
      : `The composer fails on these schemas: ${messageOf(error)}`;
    return { errors: [new GraphQLError(message)] };
  }
}

type ReadSubgraph =
  | { readonly name: string; readonly url: string; readonly typeDefs: DocumentNode }
  | { readonly error: CompositionDiagnostic };

function parseSchema({ name, url, sdl }: SubgraphInput & { readonly sdl: string }): ReadSubgraph {
  try {
    checkNesting(sdl);
    return { name, url, typeDefs: parse(new Source(defineOneOf(sdl), name)) };
  } catch (error) {
    if (!(error instanceof GraphQLError)) throw error;
    return { error: invalidSchema(name, error) };
  }
}

function invalidSchema(subgraph: string, { message, locations = [] }: GraphQLError): CompositionDiagnostic {
  return {
    code: 'INVALID_GRAPHQL',
    message: `[${subgraph}] ${message}`,
    locations: locations.map((location) => ({ subgraph, ...location })),
  };
}

function diagnosticOf(error: GraphQLError): CompositionDiagnostic {
  const { code } = error.extensions;
  return {
    code: typeof code === 'string' ? code : 'UNKNOWN',
    message: error.message,
    locations: locationsOf(error.nodes),
  };
}
