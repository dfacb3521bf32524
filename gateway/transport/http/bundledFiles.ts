import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { FastifyInstance } from 'fastify';

const contentTypes: Readonly<Record<string, string>> = {
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.ttf': 'font/ttf',
};

/** The directory of a page's bundle: `built` in the built package, otherwise the cache that `npm start` fills. */
export function findBundle(name: string, built: URL): string {
  const directory = fileURLToPath(built);
  return hasBundle(directory)
    ? directory
    : fileURLToPath(new URL(`../../../node_modules/.cache/${name}/`, import.meta.url));
}

export function hasBundle(directory: string): boolean {
  return existsSync(join(directory, 'app.js'));
}

/** Adds `GET <path>/:file`, which serves only files of `directory`. */
export function addBundledFiles(
  server: FastifyInstance,
  path: string,
  directory: string,
  contentSecurityPolicy: string,
): void {
  server.get<{ Params: { file: string } }>(`${path}/:file`, async (request, reply) => {
    const { file } = request.params;
    const contentType = contentTypes[extname(file)];
    // Compared with the existing names, so that a client's text never becomes part of a path.
    const name =
      contentType === undefined
        ? undefined
        : (await readdir(directory).catch(() => [])).find((entry) => entry === file);
    if (name === undefined || contentType === undefined) return reply.callNotFound();
    return reply
      .headers({ 'content-security-policy': contentSecurityPolicy, 'cache-control': 'no-cache' })
      .type(contentType)
      .send(await readFile(join(directory, name)));
  });
}
