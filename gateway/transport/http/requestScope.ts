import { AsyncLocalStorage } from 'node:async_hooks';
import type { RequestListener, ServerResponse } from 'node:http';
import { HttpError } from '../../admission/httpError.ts';
import { endConnection } from './http2Messages.ts';
import { writeRejection } from './writeResponse.ts';

/** What an error that no code has caught ends: a request, or a WebSocket. */
interface RequestScope {
  fail: () => void;
}

const scopes = new AsyncLocalStorage<RequestScope>();

/** Runs code of a request, so that an unhandled error of this code, or of what it starts, ends the request. */
export function runInRequestScope(scope: RequestScope, run: () => void): void {
  scopes.run(scope, () => {
    try {
      run();
    } catch (error) {
      // Thrown by a callback, so that the scope is still known when the error is handled.
      setImmediate(() => {
        throw error;
      });
    }
  });
}

/** To be called when the request, or the WebSocket, has ended. A connection to a subgraph that it has opened outlives it, and
 *  refers to the scope: without this, it would keep the request in memory. */
export function endRequestScope(scope: RequestScope): void {
  scope.fail = noop;
}

/** Ends the request whose code is running. Returns false when the running code belongs to no request. */
export function failCurrentRequest(): boolean {
  const scope = scopes.getStore();
  scope?.fail();
  return scope !== undefined;
}

/** Wraps `listener`, so that each of its requests has a scope. */
export function inRequestScope(listener: RequestListener): RequestListener {
  return (request, response) => {
    const scope: RequestScope = { fail: () => respondWithInternalError(response) };
    response.on('close', () => endRequestScope(scope));
    runInRequestScope(scope, () => listener(request, response));
  };
}

function noop(): void {}

function respondWithInternalError(response: ServerResponse): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const error = new HttpError(500, 'Internal server error', { code: 'INTERNAL_SERVER_ERROR' });
  writeRejection(response, error, endConnection(response));
}
