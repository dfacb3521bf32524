import type { DemoState, Fault } from './demoState.ts';

/** An error whose message is for the visitor. */
export class DemoError extends Error {}

/** Reads the state of the demo, or `undefined` if the page is served without its demo. @throws {DemoError} */
export function readDemo(): Promise<DemoState | undefined> {
  return request('/demo', { method: 'GET' });
}

/** Replaces all faults of a subgraph. @throws {DemoError} */
export function setFaults(
  subgraph: string,
  targets: Readonly<Record<string, Fault>>,
): Promise<DemoState | undefined> {
  return post(`/demo/subgraphs/${subgraph}/faults`, { targets });
}

/** Kills the process of a subgraph, or starts it again. @throws {DemoError} */
export function controlProcess(subgraph: string, action: 'kill' | 'start'): Promise<DemoState | undefined> {
  return post(`/demo/subgraphs/${subgraph}/${action}`);
}

/** Starts every subgraph that is down and restores the faults that the demo starts with. @throws {DemoError} */
export function restoreDemo(): Promise<DemoState | undefined> {
  return post('/demo/restore');
}

/** Empties the cache of the gateway. @throws {DemoError} */
export function clearCache(): Promise<DemoState | undefined> {
  return post('/demo/cold');
}

function post(path: string, body: object = {}): Promise<DemoState | undefined> {
  const headers = { 'content-type': 'application/json' };
  return request(path, { method: 'POST', headers, body: JSON.stringify(body) });
}

async function request(path: string, init: RequestInit): Promise<DemoState | undefined> {
  let response: Response;
  try {
    response = await fetch(path, init);
  } catch {
    throw new DemoError('The server of this page cannot be reached. Is `npm start` still running?');
  }
  const isDemo = response.headers.get('content-type')?.startsWith('application/json') ?? false;
  if (path === '/demo' && (response.status === 204 || response.status === 404)) return undefined;
  if (!isDemo) throw new DemoError(`The server of this page answered with status ${response.status}.`);
  const body: unknown = await response.json();
  if (response.ok) return body as DemoState;
  throw new DemoError((body as { readonly error: string }).error);
}
