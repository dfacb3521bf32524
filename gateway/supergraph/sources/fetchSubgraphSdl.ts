import { type FetchLimits, schemaFetchLimits, sendHttpRequest } from './httpRequest.ts';

export interface SubgraphAddress {
  readonly name: string;
  readonly url: string;
}

interface FetchSubgraphSdlOptions {
  readonly limits?: FetchLimits;
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

// Subgraphs that accept only known operations know exactly this text.
const query = 'query __ApolloGetServiceDefinition__ { _service { sdl } }';

/** Fetches the SDL of a running subgraph.
 *  @throws {Error} that describes the failed request or the invalid response. */
export async function fetchSubgraphSdl(
  { url }: SubgraphAddress,
  signal: AbortSignal,
  { headers, limits = schemaFetchLimits }: FetchSubgraphSdlOptions = {},
): Promise<string> {
  const request = {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json', accept: 'application/json' },
    body: JSON.stringify({ query }),
  } as const;
  const { status, body } = await sendHttpRequest(new URL(url), request, signal, limits);
  return sdlOf(status, body.toString('utf8'));
}

function sdlOf(status: number, body: string): string {
  const response = parseJson(body);
  const messages = errorMessages(response);
  if (messages.length > 0) throw new Error(messages.join('\n'));
  const sdl = member(member(member(response, 'data'), '_service'), 'sdl');
  if (typeof sdl === 'string' && sdl.trim() !== '') return sdl;
  throw new Error(
    response === undefined
      ? `the response (status ${status}) is not JSON`
      : `the response (status ${status}) has no SDL at data._service.sdl`,
  );
}

function errorMessages(response: unknown): string[] {
  const errors = member(response, 'errors');
  if (!Array.isArray(errors)) return [];
  return errors.map((error) => String(member(error, 'message') ?? 'an error without a message'));
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? (value as Record<string, unknown>)[name]
    : undefined;
}
