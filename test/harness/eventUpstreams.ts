import { once } from 'node:events';
import { createServer, type RequestListener, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json, text } from 'node:stream/consumers';
import { closeServer } from './closeServer.ts';

/** A subgraph with one subscription, whose events a test publishes. It reuses no connection. */
export interface EventUpstream extends AsyncDisposable {
  readonly url: string;
  /** Whether the gateway has the subscription. Waits for the events under way. */
  isSubscribed(): Promise<boolean>;
  publish(data: object): void;
}

/** A subgraph that writes events to the response of the subscription. */
function startStream(
  contentType: string,
  opening: string,
  formatEvent: (data: object) => string,
): Promise<EventUpstream> {
  const streams = new Set<ServerResponse>();
  return listen({
    respond: (_, response) => {
      response.writeHead(200, { 'content-type': contentType, connection: 'close' });
      response.write(opening);
      streams.add(response);
      response.once('close', () => streams.delete(response));
    },
    isSubscribed: async () => streams.size > 0,
    publish: (data) => {
      for (const stream of streams) stream.write(formatEvent(data));
    },
  });
}

export function startSseUpstream(): Promise<EventUpstream> {
  return startStream(
    'text/event-stream',
    ':\n\n',
    (data) => `event: next\ndata: ${JSON.stringify({ data })}\n\n`,
  );
}

export function startMultipartUpstream(): Promise<EventUpstream> {
  const part = (content: object) =>
    `\r\ncontent-type: application/json\r\n\r\n${JSON.stringify(content)}\r\n--graphql`;
  return startStream(
    'multipart/mixed;boundary=graphql;subscriptionSpec=1.0',
    `\r\n--graphql${part({})}`,
    (data) => part({ payload: { data } }),
  );
}

/** What the gateway says with a subscription over HTTP callbacks. */
interface Callback {
  readonly callbackUrl: string;
  readonly subscriptionId: string;
  readonly verifier: string;
}

export function startCallbackUpstream(): Promise<EventUpstream> {
  let callback: Callback | undefined;
  const underWay = new Set<Promise<unknown>>();
  const send = (to: Callback, message: object): Promise<number | undefined> => {
    const { callbackUrl, subscriptionId: id, verifier } = to;
    const sent = postJson(callbackUrl, { kind: 'subscription', id, verifier, ...message });
    underWay.add(sent);
    return sent.finally(() => underWay.delete(sent));
  };
  return listen({
    respond: async (incoming, response) => {
      const { extensions } = (await json(incoming)) as { extensions: { subscription: Callback } };
      callback = extensions.subscription;
      await send(callback, { action: 'check' });
      response.writeHead(200, { 'content-type': 'application/json', connection: 'close' });
      response.end('{"data":null}');
    },
    isSubscribed: async () => {
      await Promise.all(underWay);
      return callback !== undefined && (await send(callback, { action: 'check' })) === 204;
    },
    publish: (data) => {
      if (callback !== undefined) void send(callback, { action: 'next', payload: { data } });
    },
  });
}

async function listen({
  respond,
  ...upstream
}: Pick<EventUpstream, 'isSubscribed' | 'publish'> & {
  readonly respond: RequestListener;
}): Promise<EventUpstream> {
  const server = createServer(respond).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    ...upstream,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/graphql`,
    [Symbol.asyncDispose]: () => closeServer(server),
  };
}

/** Over a connection of its own. Resolves with the status. */
async function postJson(url: string, body: object): Promise<number | undefined> {
  const outgoing = request(url, {
    method: 'POST',
    agent: false,
    headers: { 'content-type': 'application/json' },
  });
  outgoing.end(JSON.stringify(body));
  const [response] = await once(outgoing, 'response');
  await text(response);
  return response.statusCode;
}
