import { type Agent, request } from 'node:http';
import { WebSocket } from 'ws';

/** Far longer than any deadline of the gateway, even on a busy machine. Only a hanging request reaches it. */
export const hangLimitMs = 120_000;

export interface ClientRequest {
  readonly method?: 'GET' | 'POST';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly agent: Agent;
  /** Aborts when the client disconnects. */
  readonly signal?: AbortSignal | undefined;
}

export interface ClientResponse {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

/** Sends a request and reads the whole response. @throws {Error} when the client disconnects, or at the limit of a hang. */
export function send(url: URL | string, options: ClientRequest): Promise<ClientResponse> {
  const { method = 'POST', headers = {}, body, agent, signal } = options;
  return new Promise((resolve, reject) => {
    const startedAt = performance.now();
    const outgoing = request(url, { method, headers, agent, ...(signal && { signal }) }, (incoming) => {
      let text = '';
      incoming.setEncoding('utf8');
      incoming.on('data', (chunk: string) => {
        text += chunk;
      });
      incoming.on('error', fail);
      incoming.on('end', () => {
        clearTimeout(timer);
        resolve({
          status: incoming.statusCode ?? 0,
          contentType: incoming.headers['content-type'] ?? '',
          body: text,
        });
      });
    });
    const timer = setTimeout(() => {
      outgoing.destroy(new Error(`no complete response within ${hangLimitMs / 1000} s`));
    }, hangLimitMs);
    function fail(error: Error): void {
      clearTimeout(timer);
      const ms = (performance.now() - startedAt).toFixed(0);
      const connection = outgoing.reusedSocket ? 'reused' : 'new';
      reject(
        new Error(
          `${error.message}, after ${ms} ms on a ${connection} connection: ${JSON.stringify({ ...headers, body })}`,
        ),
      );
    }
    outgoing.on('error', fail);
    outgoing.end(body);
  });
}

/** Subscribes over a WebSocket until the signal aborts, the subscription ends, or the connection is lost. `onPayload` gets
 *  each payload of `next` and of `error`. */
export function subscribe(
  url: string,
  body: object,
  signal: AbortSignal,
  onPayload: (payload: unknown) => void,
): Promise<void> {
  return new Promise((resolve) => {
    const socket = new WebSocket(url.replace('http', 'ws'), 'graphql-transport-ws');
    const leave = (): void => socket.terminate();
    signal.addEventListener('abort', leave, { once: true });
    socket.on('open', () => socket.send('{"type":"connection_init"}'));
    socket.on('message', (data) => {
      const { type, payload } = JSON.parse(String(data));
      if (type === 'connection_ack')
        socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload: body }));
      if (type === 'ping') socket.send('{"type":"pong"}');
      if (type === 'next') onPayload(payload);
      if (type === 'error') onPayload({ errors: payload });
      if (type === 'complete' || type === 'error') socket.close();
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      signal.removeEventListener('abort', leave);
      resolve();
    });
  });
}
