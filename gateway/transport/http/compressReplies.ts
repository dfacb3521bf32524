import type { FastifyInstance } from 'fastify';
import { type CompressionPolicy, compressBody, isCompressible, setContentCoding } from './compression.ts';

/** Compresses the replies of Fastify's routes: health, admin routes, and the files of pages. Called before routes are
 *  added. */
export function compressReplies(server: FastifyInstance, policy: CompressionPolicy): void {
  server.addHook('onSend', async (request, reply, payload) => {
    const compression = policy.choose(request.headers);
    if (compression === undefined) return payload;
    if (typeof payload !== 'string' && !Buffer.isBuffer(payload)) return payload;
    if (Buffer.byteLength(payload) < compression.minSize) return payload;
    const headers: Record<string, string> = {};
    for (const name of ['content-encoding', 'cache-control', 'vary', 'etag']) {
      if (reply.hasHeader(name)) headers[name] = String(reply.getHeader(name));
    }
    if (!isCompressible(headers)) return payload;
    setContentCoding(headers, compression.coding);
    reply.removeHeader('content-length').headers(headers);
    return await compressBody(Buffer.from(payload as Buffer), compression.coding);
  });
}
