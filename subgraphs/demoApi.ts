import type { IncomingMessage, ServerResponse } from 'node:http';
import type { DemoProcesses } from './demoProcesses.ts';
import { RequestError, readJsonBody } from './shared/readJsonBody.ts';

interface DemoApiOptions {
  readonly processes: DemoProcesses;
  /** The base URL of the gateway's admin listener. */
  readonly adminUrl: string;
  /** Addresses that the page links to, by name. */
  readonly addresses: Readonly<Record<string, string>>;
}

/** Serves the requests to `/demo` and below it. */
type DemoApi = (request: IncomingMessage, response: ServerResponse) => void;

type Action = (body: Readonly<Record<string, unknown>>) => Promise<unknown>;

const maxBodyBytes = 100_000;
const adminTimeoutMs = 5000;
const loopbackHosts = new Set(['localhost', '127.0.0.1', '[::1]']);

/** The API of the fault panel: `GET /demo` returns the state, and each `POST` changes something and returns the new state.
 *  It kills and starts processes, so it accepts only requests from pages of its own origin, on a loopback host. */
export function createDemoApi({ processes, adminUrl, addresses }: DemoApiOptions): DemoApi {
  async function readState(): Promise<object> {
    return { subgraphs: await processes.status(), addresses };
  }

  /** Deletes all values of the subgraphs from the gateway's cache. */
  async function clearCache(): Promise<object> {
    const subgraphs = (await processes.status()).map(({ name }) => name);
    let response: Response;
    try {
      response = await fetch(`${adminUrl}/cache/invalidate`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ subgraphs }),
        signal: AbortSignal.timeout(adminTimeoutMs),
      });
    } catch (error) {
      throw new RequestError(
        502,
        `The gateway's admin listener at ${adminUrl} did not answer: ${(error as Error).message}`,
      );
    }
    const { deleted, error } = (await response.json()) as {
      readonly deleted?: number;
      readonly error?: string;
    };
    if (!response.ok) throw new RequestError(502, `The gateway did not clear its cache: ${error}`);
    return { deleted };
  }

  function findAction(pathname: string): Action {
    if (pathname === '/demo/restore') return withoutValues(processes.restore);
    if (pathname === '/demo/cold') return withoutValues(clearCache);
    const [, name = '', action = ''] = /^\/demo\/subgraphs\/([^/]+)\/([^/]+)$/.exec(pathname) ?? [];
    if (action === 'faults') return (body) => processes.setFaults(name, body);
    if (action === 'kill') return withoutValues(() => processes.kill(name));
    if (action === 'start') return withoutValues(() => processes.start(name));
    throw new RequestError(
      404,
      `There is no ${pathname}. Use GET /demo, POST /demo/restore, POST /demo/cold, or POST /demo/subgraphs/NAME/ with faults, kill or start.`,
    );
  }

  async function serve(request: IncomingMessage): Promise<object> {
    checkOrigin(request);
    const { pathname } = new URL(request.url ?? '/', 'http://storefront');
    if (pathname === '/demo') {
      if (request.method === 'GET') return readState();
      throw new RequestError(405, '/demo has only GET.');
    }
    const act = findAction(pathname);
    if (request.method !== 'POST') throw new RequestError(405, `${pathname} has only POST.`);
    const result = await act(await readObject(request));
    return { ...(await readState()), ...(typeof result === 'object' ? result : {}) };
  }

  return (request, response) => {
    serve(request).then(
      (state) => sendJson(response, 200, state),
      (error: Error) =>
        sendJson(response, error instanceof RequestError ? error.status : 500, { error: error.message }),
    );
  };
}

/** Pages of other sites must not kill processes. They cannot forge these headers, and the host of a page that reaches
 *  this server by DNS rebinding is not a loopback host. Clients that are not browsers send neither origin nor site. */
function checkOrigin({ headers }: IncomingMessage): void {
  const { host = '', origin } = headers;
  const site = headers['sec-fetch-site'] ?? 'same-origin';
  const isOwnHost = URL.canParse(`http://${host}`) && loopbackHosts.has(new URL(`http://${host}`).hostname);
  const isOwnPage =
    (site === 'same-origin' || site === 'none') && (origin ?? `http://${host}`) === `http://${host}`;
  if (isOwnHost && isOwnPage) return;
  throw new RequestError(
    403,
    'The demo is controlled only by pages of its own origin, on a loopback address.',
  );
}

async function readObject(request: IncomingMessage): Promise<Readonly<Record<string, unknown>>> {
  // Another site can make a browser send a form or plain text without asking this server first, but not JSON.
  if (!/^application\/json\s*(;|$)/i.test(request.headers['content-type'] ?? '')) {
    throw new RequestError(415, 'Send a JSON object, with the header content-type: application/json.');
  }
  const body = await readJsonBody(request, maxBodyBytes);
  if (typeof body === 'object' && body !== null && !Array.isArray(body)) return { ...body };
  throw new RequestError(400, 'The body must be a JSON object, such as {}.');
}

function withoutValues(act: () => Promise<unknown>): Action {
  return (body) => {
    const [unknown] = Object.keys(body);
    if (unknown !== undefined)
      throw new RequestError(400, `Unknown key "${unknown}": this action has no values, send {}.`);
    return act();
  };
}

function sendJson(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  });
  response.end(JSON.stringify(body));
}
