import type { IncomingMessage } from 'node:http';
import type { FastifyInstance, FastifyReply } from 'fastify';
import type { CallbackReceiver, CallbackVerdict } from '../../subscriptions/sources/callbackReceiver.ts';
import { Refusal } from '../refusal.ts';
import { addRawBodyRoutes, sendProblem } from './rawBodyRoutes.ts';
import { isJsonContentType, parseJson, readBody } from './readBody.ts';
import { Turns } from './turns.ts';

export interface CallbackRouteOptions {
  readonly callbacks: CallbackReceiver;
  /** Bytes that a message may have, after decompression. */
  readonly bodySize: number;
}

/** `POST /callback/:id` of the public listener: where subgraphs bring the events of subscriptions by HTTP callback.
 *  Messages of one id are handed on in the order in which their requests began. It is for servers: no page of another
 *  site is ever allowed to read its answers. */
export function addCallbackRoute(
  server: FastifyInstance,
  { callbacks, bodySize }: CallbackRouteOptions,
): void {
  const turns = new Turns();
  // Bodies are read only of ids that are known.
  addRawBodyRoutes(server, howToSend, (routes) => {
    routes.post<{ Params: { id: string } }>('/callback/:id', async (request, reply) => {
      const { id } = request.params;
      if (!callbacks.isKnown(id)) return sendVerdict(reply, 'unknown');
      const verdict = await turns.take(id, readMessage(request.raw, bodySize), ({ message, size }) =>
        callbacks.receive(id, message, size),
      );
      return sendVerdict(reply, verdict);
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
): Promise<{ message: unknown; size: number }> {
  // Also for safety: a page of another site can make a browser send a form or a text, but no JSON.
  if (!isJsonContentType(request.headers['content-type'])) throw new Refusal(415, howToSend);
  const bytes = await readBody(request, bodySize, 'by subscriptions.eventSize');
  return { message: parseJson(bytes), size: bytes.length };
}

function sendVerdict(reply: FastifyReply, verdict: CallbackVerdict): FastifyReply {
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
