import type { IncomingMessage } from 'node:http';
import { HttpError } from '../admission/httpError.ts';
import { addRawBodyRoutes, sendProblem } from '../transport/http/rawBodyRoutes.ts';
import { isJsonContentType, parseJson, readBody } from '../transport/http/readBody.ts';
import type { RouteReply, Routes } from '../transport/http/routes.ts';
import { KeyedQueue, type QueueLimits, type QueueSlot } from './keyedQueue.ts';
import type { CallbackOutcome, CallbackReceiver } from './sources/callbackReceiver.ts';

interface CallbackRouteOptions {
  readonly callbacks: CallbackReceiver;
  /** Bytes that a message may have, after decompression. */
  readonly bodySize: number;
  /** How many messages of one id, and bytes of them, may wait for the one before to be answered. */
  readonly queueLimits: QueueLimits;
}

/** `POST /callback/:id` of the public listener: where subgraphs bring the events of subscriptions by HTTP callback.
 *  Messages of one id are handed on in the order in which their requests began, and `check`s at once. It is for servers:
 *  no page of another site is ever allowed to read its answers. */
export function addCallbackRoute(
  server: Routes,
  { callbacks, bodySize, queueLimits }: CallbackRouteOptions,
): void {
  const lines = new KeyedQueue(queueLimits);
  const receive = async (id: string, request: IncomingMessage): Promise<CallbackOutcome> => {
    const place = lines.enqueue(id);
    try {
      const { message, size } = await readMessage(request, bodySize, place);
      // A subgraph that gets no answer to these takes the gateway for dead, however many events wait.
      if (!isCheck(message) && !(await place.waitForTurn())) throw queueFullError();
      return await callbacks.receive(id, message, size);
    } finally {
      place.release();
    }
  };
  // Bodies are read only of ids that are known.
  addRawBodyRoutes(server, callbackUsage, (routes) => {
    routes.post<{ Params: { id: string } }>('/callback/:id', async (request, reply) => {
      const { id } = request.params;
      return sendOutcome(reply, callbacks.isKnown(id) ? await receive(id, request.raw) : 'unknown');
    });
  });
}

/** The id in the address of a request that may be for this route. */
export function callbackIdOf(url: string): string | undefined {
  return url.startsWith('/callback/') ? /^[^/?]+/.exec(url.slice('/callback/'.length))?.[0] : undefined;
}

const callbackUsage =
  'Send a JSON object such as {"kind":"subscription","action":"check","id":"…","verifier":"…"}, and the header content-type: application/json.';

async function readMessage(
  request: IncomingMessage,
  bodySize: number,
  place: QueueSlot,
): Promise<{ message: unknown; size: number }> {
  // Also for safety: a page of another site can make a browser send a form or a text, but no JSON.
  if (!isJsonContentType(request.headers['content-type'])) throw new HttpError(415, callbackUsage);
  const bytes = await readBody(request, bodySize, 'by subscriptions.eventSize', (more) =>
    place.addBytes(more) ? undefined : queueFullError(),
  );
  return { message: parseJson(bytes), size: bytes.length };
}

function isCheck(message: unknown): boolean {
  return typeof message === 'object' && message !== null && 'action' in message && message.action === 'check';
}

function queueFullError(): HttpError {
  const message =
    'As many messages of this subscription wait as may (subscriptions.queue). Send it again later, or the next one only when the one before is answered.';
  return new HttpError(503, message, { headers: { 'retry-after': '1' } });
}

function sendOutcome(reply: RouteReply, verdict: CallbackOutcome): RouteReply {
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
