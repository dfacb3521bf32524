import { composeServices } from '@apollo/composition';
import { type DocumentNode, GraphQLError, parse, Source } from 'graphql';
import { messageOf } from './messageOf.ts';
import { fetchSubgraphSdl } from './sources/fetchSubgraphSdl.ts';

export interface SubgraphInput {
  readonly name: string;
  /** Goes into the supergraph; asked for the SDL where none is given. */
  readonly url: string;
  readonly sdl?: string;
}

export interface CompositionDiagnostic {
  /** The composer's code, for example `INVALID_FIELD_SHARING`. */
  readonly code: string;
  readonly message: string;
  /** Schema coordinate, for example `Product.price`, where the note is about one. */
  readonly coordinate?: string;
  readonly locations: readonly SubgraphLocation[];
}

interface SubgraphLocation {
  readonly subgraph: string;
  readonly line: number;
  readonly column: number;
}

export type CompositionResult =
  | { readonly sdl: string; readonly hints: readonly CompositionDiagnostic[] }
  | { readonly errors: readonly CompositionDiagnostic[] };

const fetchLimits = { timeoutMs: 10_000, maxBytes: 32 * 1024 ** 2 };

/** Subgraphs → supergraph, with everything that the composer has to say. It blocks the thread while it
 *  composes: for commands, not for a running gateway. Never rejects for a problem with a subgraph: a schema
 *  that cannot be had or read is an error in the result (`SUBGRAPH_UNREACHABLE`, `INVALID_GRAPHQL`). */
export async function composeSupergraph(
  subgraphs: readonly SubgraphInput[],
  signal: AbortSignal = new AbortController().signal,
): Promise<CompositionResult> {
  const read = await Promise.all(subgraphs.map((subgraph) => readSubgraph(subgraph, signal)));
  const errors = read.flatMap((entry) => ('error' in entry ? [entry.error] : []));
  if (errors.length > 0) return { errors };

  const services = read.flatMap((entry) => ('typeDefs' in entry ? [entry] : []));
  const result = composeServices(services);
  if (result.errors !== undefined) return { errors: result.errors.map(diagnosticOf) };
  return {
    sdl: result.supergraphSdl,
    hints: result.hints.map((hint) => ({
      code: hint.definition.code,
      message: hint.message,
      ...(hint.coordinate === undefined ? {} : { coordinate: hint.coordinate }),
      locations: locationsOf(hint.nodes),
    })),
  };
}

type ReadSubgraph =
  | { readonly name: string; readonly url: string; readonly typeDefs: DocumentNode }
  | { readonly error: CompositionDiagnostic };

async function readSubgraph({ name, url, sdl }: SubgraphInput, signal: AbortSignal): Promise<ReadSubgraph> {
  let text = sdl;
  try {
    text ??= await fetchSubgraphSdl({ name, url }, signal, fetchLimits);
  } catch (error) {
    const reason = messageOf(error);
    const message = `[${name}] ${url} gives no schema: ${reason}`;
    return { error: { code: 'SUBGRAPH_UNREACHABLE', message, locations: [] } };
  }
  try {
    return { name, url, typeDefs: parse(new Source(text, name)) };
  } catch (error) {
    if (!(error instanceof GraphQLError)) throw error;
    const places = (error.locations ?? []).map((place) => ({ subgraph: name, ...place }));
    return { error: { code: 'INVALID_GRAPHQL', message: `[${name}] ${error.message}`, locations: places } };
  }
}

function diagnosticOf(error: GraphQLError): CompositionDiagnostic {
  const { code } = error.extensions;
  return {
    code: typeof code === 'string' ? code : 'UNKNOWN',
    message: error.message,
    locations: locationsOf(error.nodes),
  };
}

interface SubgraphNode {
  readonly subgraph?: string;
  readonly loc?: { readonly startToken: { readonly line: number; readonly column: number } } | undefined;
}

/** The composer's nodes name the subgraph that they come from. */
function locationsOf(nodes: readonly SubgraphNode[] | undefined): SubgraphLocation[] {
  return (nodes ?? []).flatMap(({ subgraph, loc }) =>
    subgraph === undefined || loc === undefined
      ? []
      : [{ subgraph, line: loc.startToken.line, column: loc.startToken.column }],
  );
}
