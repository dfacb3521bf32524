import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { messageOf } from '../messageOf.ts';

export interface SubgraphAddress {
  readonly name: string;
  readonly url: string;
}

interface FetchSubgraphSdlOptions {
  /** Maximum time for one request. */
  readonly timeoutMs: number;
  /** Maximum size of the response body. */
  readonly maxBytes: number;
  readonly headers?: Readonly<Record<string, string>>;
}

// Subgraphs that accept only known operations know exactly this text.
const query = 'query __ApolloGetServiceDefinition__ { _service { sdl } }';

/** Fetches the SDL of a running subgraph. It does not use the client for operations, because it needs no connection pool
 *  and no batching.
 *  @throws {Error} that describes the failed request or the invalid response. */
export async function fetchSubgraphSdl(
  address: SubgraphAddress,
  signal: AbortSignal,
  options: FetchSubgraphSdlOptions,
): Promise<string> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(options.timeoutMs)]);
  try {
    const { status, body } = await post(address.url, limit, options);
    return sdlOf(status, body);
  } catch (error) {
    if (limit.aborted && !signal.aborted) {
      throw new Error(`no response within ${options.timeoutMs} ms`, { cause: error });
    }
    throw error;
  }
}

function post(
  url: string,
  signal: AbortSignal,
  { headers, maxBytes }: FetchSubgraphSdlOptions,
): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const target = new URL(url);
    const request = (target.protocol === 'https:' ? requestHttps : requestHttp)(target, {
      method: 'POST',
      signal,
      agent: false,
      headers: { ...headers, 'content-type': 'application/json', accept: 'application/json' },
    });
    request.on('error', (error) => reject(describeNetworkError(error)));
    request.on('response', (response) => {
      const chunks: Buffer[] = [];
      let size = 0;
      response.on('data', (chunk: Buffer) => {
        size += chunk.length;
        chunks.push(chunk);
        if (size <= maxBytes) return;
        reject(new Error(`the response is larger than ${maxBytes} bytes`));
        request.destroy();
      });
      response.on('error', reject);
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString('utf8') }),
      );
    });
    request.end(JSON.stringify({ query }));
  });
}

/** An error of several connection attempts (IPv4 and IPv6) has no message. Joins the messages of the attempts. */
function describeNetworkError(error: Error): Error {
  if (error.message !== '') return error;
  const causes = error instanceof AggregateError ? error.errors : [];
  return new Error(causes.map((cause) => messageOf(cause)).join('; '), {
    cause: error,
  });
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
