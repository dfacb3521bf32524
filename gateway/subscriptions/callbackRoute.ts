import type { IncomingMessage } from 'node:http';
import { addRawBodyRoutes, sendProblem } from '../transport/http/rawBodyRoutes.ts';
import { isJsonContentType, parseJson, readBody } from '../transport/http/readBody.ts';
import type { RouteReply, Routes } from '../transport/http/routes.ts';
import { Refusal } from '../transport/refusal.ts';
import { type LineBounds, Lines, type Place } from './lines.ts';
import type { CallbackReceiver, CallbackVerdict } from './sources/callbackReceiver.ts';

export interface CallbackRouteOptions {
  readonly callbacks: CallbackReceiver;
  /** Bytes that a message may have, after decompression. */
  readonly bodySize: number;
  /** How many messages of one id, and bytes of them, may wait for the one before to be answered. */
  readonly waiting: LineBounds;
}

/** `POST /callback/:id` of the public listener: where subgraphs bring the events of subscriptions by HTTP callback.
 *  Messages of one id are handed on in the order in which their requests began, and `check`s at once. It is for servers:
 *  no page of another site is ever allowed to read its answers. */
export function addCallbackRoute(
  server: Routes,
  { callbacks, bodySize, waiting }: CallbackRouteOptions,
): void {
  const lines = new Lines(waiting);
  const receive = async (id: string, request: IncomingMessage): Promise<CallbackVerdict> => {
    const place = lines.enter(id);
    try {
      const { message, size } = await readMessage(request, bodySize, place);
      // A subgraph that gets no answer to these takes the gateway for dead, however many events wait.
      if (!isCheck(message) && !(await place.turn())) throw tooManyWait();
      return await callbacks.receive(id, message, size);
    } finally {
      place.leave();
    }
  };
  // Bodies are read only of ids that are known.
  addRawBodyRoutes(server, howToSend, (routes) => {
    routes.post<{ Params: { id: string } }>('/callback/:id', async (request, reply) => {
      const { id } = request.params;
      return sendVerdict(reply, callbacks.isKnown(id) ? await receive(id, request.raw) : 'unknown');
    });
  });
}

/** The id in the address of a request that may be for this route. */
export function callbackId(url: string): string | undefined {
  return url.startsWith('/callback/') ? /^[^/?]+/.exec(url.slice('/callback/'.length))?.[0] : undefined;
}

const howToSend =
  'Send a JSON object such as {"kind":"subscription","action":"check","id":"…","verifier":"…"}, and the header content-type: application/json.';

async function readMessage(
  request: IncomingMessage,
  bodySize: number,
  place: Place,
): Promise<{ message: unknown; size: number }> {
  // Also for safety: a page of another site can make a browser send a form or a text, but no JSON.
  if (!isJsonContentType(request.headers['content-type'])) throw new Refusal(415, howToSend);
  const bytes = await readBody(request, bodySize, 'by subscriptions.eventSize', (more) =>
    place.hold(more) ? undefined : tooManyWait(),
  );
  return { message: parseJson(bytes), size: bytes.length };
}

function isCheck(message: unknown): boolean {
  return typeof message === 'object' && message !== null && 'action' in message && message.action === 'check';
}

function tooManyWait(): Refusal {
  const message =
    'As many messages of this subscription wait as may (subscriptions.queue). Send it again later, or the next one only when the one before is answered.';
  return new Refusal(503, message, { headers: { 'retry-after': '1' } });
}

function sendVerdict(reply: RouteReply, verdict: CallbackVerdict): RouteReply {
  switch (verdict) {
    case 'checked':
      return reply.code(204).header('subscription-protocol', 'callback/1.0').send();
    case 'taken':
      return reply.code(200).send();
    case 'completed':
      return reply.code(202).send();
    case 'unknown':
      return sendProblem(reply, 404, 'There is no such subscription, or it has ended.');
    case 'forbidden':
      return sendProblem(reply, 401, 'The verifier is not that of this subscription.');
    default:
      return sendProblem(reply, 400, verdict.malformed);
  }
}
