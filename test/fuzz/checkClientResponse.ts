import { MultipartReader, mergePayloads } from '../harness/rawHttp.ts';
import type { ClientCase } from './clientRequests.ts';
import type { BytesResponse } from './exchangeBytes.ts';

const statuses = new Set([200, 400, 405, 406, 413, 415, 417, 431]);
/** Including the status of node:http for OPTIONS. */
const statusesOfHttp = new Set([...statuses, 204]);

/** Codes of faults of the gateway or a subgraph, which must not occur here. */
const faults = new Set(['INTERNAL_SERVER_ERROR', 'PLANNING_FAILED', 'SUPERGRAPH_UNAVAILABLE']);

/** Traces of internals and of values converted to text by mistake. */
const leaks =
  /[Ii]nternal server error|undefined|\[object Object|\bNaN\b|node_modules|\.[jt]s:\d|is not a function|Cannot read|Apollo[ A-Z]/;

/** The reason why a client could not read the response; `undefined` for a valid response. */
export function findResponseProblem(request: ClientCase, response: BytesResponse): string | undefined {
  const { status, headers, body } = response;
  if (request.isBrokenHttp && (status === undefined || body === '')) {
    return status === undefined || statusesOfHttp.has(status) ? undefined : `status ${status}`;
  }
  if (status === undefined) return 'no response';
  // PUT reserves an event stream with any body.
  if (status === 201 && request.name.startsWith('method PUT') && /^[0-9a-f-]{36}$/.test(body))
    return undefined;
  if (!statuses.has(status)) return `status ${status}: ${body}`;
  if (!response.isWhole) return 'the body breaks off';
  try {
    const contentType = headers.get('content-type') ?? '';
    if (contentType.includes('subscriptionSpec')) return problemOfResults(readProtocolParts(body));
    if (contentType.startsWith('text/event-stream')) return problemOfResults(readEvents(body));
    if (contentType.startsWith('multipart/mixed')) {
      const reader = new MultipartReader();
      const merged = mergePayloads(reader.read(body));
      reader.assertClosed();
      return problemOfResult(status, merged);
    }
    const json: unknown = JSON.parse(body);
    if (!Array.isArray(json)) return problemOfResult(status, json);
    // A batch has one status: data may be in the response beside another operation's error.
    return json.map((result) => problemOfResult(200, result)).find((problem) => problem !== undefined);
  } catch (error) {
    return `${String(error)}: ${body}`;
  }
}

/** Checks the results of a subscription, or of an operation with a response in the same format. */
function problemOfResults(results: readonly unknown[]): string | undefined {
  return results.map((result) => problemOfResult(200, result)).find((problem) => problem !== undefined);
}

/** Reads the results of a body in Apollo's multipart protocol, which must have an end. */
function readProtocolParts(body: string): unknown[] {
  const [opening, ...parts] = body.split('\r\n--graphql');
  if (opening !== '' || parts.pop() !== '--\r\n') throw new Error('no proper multipart body');
  return parts
    .map((part) => JSON.parse(part.slice(part.indexOf('\r\n\r\n'))) as Record<string, unknown>)
    .filter((part) => Object.keys(part).length > 0)
    .map(({ payload, ...errors }) => payload ?? errors);
}

/** Reads the results of server-sent events, which must have an end. */
function readEvents(body: string): unknown[] {
  const [opening, ...events] = body.split('\n\n');
  if (opening !== ':' || events.pop() !== '' || events.pop() !== 'event: complete\ndata:') {
    throw new Error('no proper stream of events');
  }
  const results = events.map((event) => {
    if (!event.startsWith('event: next\ndata: ')) throw new Error(`an odd event: ${event}`);
    return JSON.parse(event.slice('event: next\ndata: '.length)) as { hasNext?: boolean };
  });
  if (results[0]?.hasNext !== undefined) return [mergePayloads(results)];
  return results;
}

function problemOfResult(status: number, result: unknown): string | undefined {
  if (typeof result !== 'object' || result === null) return `no result: ${JSON.stringify(result)}`;
  const strange = Object.keys(result).filter((key) => !['data', 'errors', 'extensions'].includes(key));
  if (strange.length > 0) return `unexpected ${strange.join()}`;
  const { data, errors } = result as { data?: unknown; errors?: unknown };
  if (data === undefined && errors === undefined) return 'neither data nor errors';
  if (data !== undefined && status !== 200) return `data with status ${status}`;
  if (errors === undefined) return undefined;
  if (!Array.isArray(errors) || errors.length === 0) return `errors: ${JSON.stringify(errors)}`;
  return errors.map(problemOfError).find((problem) => problem !== undefined);
}

function problemOfError(error: unknown): string | undefined {
  const { message, extensions } = error as { message?: unknown; extensions?: Record<string, unknown> };
  const shown = JSON.stringify(error).slice(0, 500);
  if (typeof message !== 'string' || message.length < 10) return `no message: ${shown}`;
  const own = message.replace(/"[^"]*"/g, '""');
  if (leaks.test(own)) return `a message that says too much: ${shown}`;
  const code = extensions?.code;
  if (typeof code !== 'string' || faults.has(code)) return `a code that does not help: ${shown}`;
  if (code === 'OPERATION_TOO_COMPLEX' && !/\d|planning|planned/.test(message)) return `no limit: ${shown}`;
  return undefined;
}
