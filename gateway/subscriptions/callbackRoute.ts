import type { IncomingMessage } from 'node:http';
import { finished } from 'node:stream/promises';
import { HttpError } from '../admission/httpError.ts';
import { addRawBodyRoutes, sendProblem } from '../transport/http/rawBodyRoutes.ts';
import { isJsonContentType, parseJson, readBody } from '../transport/http/readBody.ts';
import type { RouteReply, Routes } from '../transport/http/routes.ts';
import { BodyExcerpt } from './bodyExcerpt.ts';
import { KeyedQueue, type QueueLimits } from './keyedQueue.ts';
import type { CallbackOutcome, CallbackReceiver } from './sources/callbackReceiver.ts';

interface CallbackRouteOptions {
  readonly callbacks: CallbackReceiver;
  /** Maximum bytes of a message, after decompression. */
  readonly bodySize: number;
  /** Limits for the messages of one id that wait for an earlier one to be answered. */
  readonly queueLimits: QueueLimits;
}

/** Adds `POST /callback/:id` to the public listener: subgraphs send the events of HTTP callback subscriptions to it.
 *  Messages of one id are processed in the order in which they have arrived; `check` messages are answered at once.
 *  The route is for servers and has no CORS headers. */
export function addCallbackRoute(
  server: Routes,
  { callbacks, bodySize, queueLimits }: CallbackRouteOptions,
): void {
  // The id is in URLs, which logs and proxies have: messages with a wrong verifier must not fill the queue of the others.
  const [unverified, verified] = [new KeyedQueue(queueLimits), new KeyedQueue(queueLimits)];
  const receive = async (id: string, request: IncomingMessage): Promise<CallbackOutcome> => {
    const excerpt = new BodyExcerpt();
    const hasVerifier = (): boolean =>
      excerpt.verifiers.some((verifier) => callbacks.isVerifier(id, verifier));
    let slot = unverified.enqueue(id);
    let isVerified = false;
    let size = 0;
    /** Returns false when the queue of verified messages has no room. */
    const markVerified = (): boolean => {
      if (isVerified) return true;
      isVerified = true;
      slot.release();
      slot = verified.enqueue(id);
      return slot.addBytes(size);
    };
    const hasRoomFor = (chunk: Buffer): boolean => {
      size += chunk.length;
      return slot.addBytes(chunk.length) || (!isVerified && hasVerifier() && markVerified());
    };
    const waitForTurn = async (): Promise<void> => {
      markVerified();
      if (!(await slot.waitForTurn())) throw queueFullError();
    };
    const isCompressed = request.headers['content-encoding'] !== undefined;
    // Also of what is discarded: subgraphs that sort the members of a message send the verifier after the event.
    if (!isCompressed) request.on('data', (chunk: Buffer) => excerpt.add(chunk));
    try {
      const message = await readMessage(request, bodySize, (chunk) => {
        if (isCompressed) excerpt.add(chunk);
        return hasRoomFor(chunk) ? undefined : queueFullError();
      });
      // A subgraph whose check gets no answer assumes that the gateway is dead, so checks do not wait for events. Messages
      // with a wrong verifier are refused at once: they would fill the queue of those that have the right one.
      if (!isCheck(message) && callbacks.isVerifier(id, verifierOf(message))) await waitForTurn();
      return await callbacks.receive(id, message, size);
    } catch (error) {
      if (error instanceof HttpError && error.status === 413) {
        await finished(request).catch(() => undefined);
        if (hasVerifier()) {
          // Earlier events are delivered before the subscription ends.
          await waitForTurn();
          callbacks.failTooLarge(id);
        }
      }
      throw error;
    } finally {
      slot.release();
    }
  };
  // The body of a request with an unknown id is not read.
  addRawBodyRoutes(server, callbackUsage, (routes) => {
    routes.post<{ Params: { id: string } }>('/callback/:id', async (request, reply) => {
      const { id } = request.params;
      return sendOutcome(reply, callbacks.isKnown(id) ? await receive(id, request.raw) : 'unknown');
    });
  });
}

/** The subscription id in the URL of a request to this route; `undefined` for other URLs. */
export function callbackIdOf(url: string): string | undefined {
  return url.startsWith('/callback/') ? /^[^/?]+/.exec(url.slice('/callback/'.length))?.[0] : undefined;
}

const callbackUsage =
  'Send a JSON object such as {"kind":"subscription","action":"check","id":"…","verifier":"…"}, and the header content-type: application/json.';

async function readMessage(
  request: IncomingMessage,
  bodySize: number,
  checkChunk: (chunk: Buffer) => HttpError | undefined,
): Promise<unknown> {
  // Also a defence against CSRF: without a preflight, a page of another site cannot make a browser send JSON.
  if (!isJsonContentType(request.headers['content-type'])) throw new HttpError(415, callbackUsage);
  return parseJson(await readBody(request, bodySize, 'by subscriptions.eventSize', checkChunk));
}

function isCheck(message: unknown): boolean {
  return typeof message === 'object' && message !== null && 'action' in message && message.action === 'check';
}

function verifierOf(message: unknown): unknown {
  return typeof message === 'object' && message !== null && 'verifier' in message
    ? message.verifier
    : undefined;
}

function queueFullError(): HttpError {
  const message =
    'Too many messages of this subscription are waiting (subscriptions.queue). Send this message again later, or wait for each answer before you send the next message.';
  return new HttpError(503, message);
}

function sendOutcome(reply: RouteReply, outcome: CallbackOutcome): RouteReply {
  switch (outcome) {
    case 'checked':
      return reply.code(204).header('subscription-protocol', 'callback/1.0').send();
    case 'accepted':
      return reply.code(200).send();
    case 'completed':
      return reply.code(202).send();
    case 'unknown':
      return sendProblem(reply, 404, 'No subscription has this id, or the subscription has ended.');
    case 'forbidden':
      return sendProblem(reply, 401, 'The verifier does not belong to this subscription.');
    default:
      return sendProblem(reply, 400, outcome.malformed);
  }
}
