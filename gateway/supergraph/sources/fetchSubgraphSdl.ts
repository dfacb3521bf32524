import { maskSecrets } from '../../config/addressSecrets.ts';
import { truncate } from '../../json/truncate.ts';
import type { CertificateContents } from '../../tls/certificateFiles.ts';
import { type FetchLimits, type HttpRequest, schemaFetchLimits, sendHttpRequest } from './httpRequest.ts';

export interface SubgraphAddress {
  readonly name: string;
  readonly url: string;
}

/** What a request for the schema of a protected subgraph needs. */
interface SchemaAccess {
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Trusted authorities and the gateway's certificate; Node's defaults when omitted. */
  readonly tls?: CertificateContents | undefined;
  /** The header with the signature of a body: name and value. */
  readonly sign?: ((body: string) => readonly [string, string]) | undefined;
  readonly proxyEnv?: HttpRequest['proxyEnv'];
}

export type AccessOfAddress = (address: SubgraphAddress) => SchemaAccess | undefined;

/** Subgraphs choose these texts. */
const maxMessageLength = 1_000;

/** A response with GraphQL errors instead of the schema. Their texts may differ each time, by an id for example. */
export class SchemaRefusedError extends Error {
  override readonly name = 'SchemaRefusedError';
  readonly status: number;

  constructor(status: number, messages: readonly string[]) {
    // Every server names the unknown field in its message.
    const advice = messages.some((message) => message.includes('_service'))
      ? ' Its schema has no field `_service`: build it with a library for subgraphs, such as @apollo/subgraph'
      : '';
    const text = truncate(messages.join('\n'), maxMessageLength);
    super(`the response (status ${status}) has errors: ${text}${advice}`);
    this.status = status;
  }
}

interface FetchSubgraphSdlOptions extends SchemaAccess {
  readonly limits?: FetchLimits;
}

// Subgraphs that accept only known operations know exactly this text.
const query = 'query __ApolloGetServiceDefinition__ { _service { sdl } }';

/** Fetches the SDL of a running subgraph.
 *  @throws {UnavailableError|SchemaRefusedError|Error} that describes the failed request or the invalid response. */
export async function fetchSubgraphSdl(
  { url }: SubgraphAddress,
  signal: AbortSignal,
  { headers, tls, sign, proxyEnv, limits = schemaFetchLimits }: FetchSubgraphSdlOptions = {},
): Promise<string> {
  const body = JSON.stringify({ query });
  const signature = sign === undefined ? {} : Object.fromEntries([sign(body)]);
  const request = {
    method: 'POST',
    headers: { ...headers, ...signature, 'content-type': 'application/json', accept: 'application/json' },
    body,
    tls,
    proxyEnv,
  } as const;
  const response = await sendHttpRequest(new URL(url), request, signal, limits);
  const { status, body: received } = response;
  const { location } = response.headers;
  if (status >= 300 && status < 400 && location !== undefined && URL.canParse(location, url)) {
    const target = maskSecrets(new URL(location, url).href);
    throw new Error(
      `the response (status ${status}) is a redirect to ${target}. Set the url of the subgraph to that address`,
    );
  }
  return sdlOf(status, new TextDecoder().decode(received));
}

function sdlOf(status: number, body: string): string {
  const response = parseJson(body);
  const messages = errorMessages(response);
  if (messages.length > 0) throw new SchemaRefusedError(status, messages);
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
