import type { FastifyInstance } from 'fastify';
import { setReadTimeout } from './writeResponse.ts';

/** Smaller replies fit in the buffers of a connection. In bytes or characters. */
const minSize = 16 * 1024;

/** Closes the connection of a client that reads nothing of a reply of Fastify's routes for `readTimeoutMs`. Not of a stream,
 *  which may have nothing to send for longer. Called before routes are added. */
export function closeStalledReplies(server: FastifyInstance, readTimeoutMs: number): void {
  server.addHook('onSend', async (_, reply, payload) => {
    const isComplete = typeof payload === 'string' || Buffer.isBuffer(payload);
    if (isComplete && payload.length >= minSize) setReadTimeout(reply.raw, readTimeoutMs, 'finish');
    return payload;
  });
}
