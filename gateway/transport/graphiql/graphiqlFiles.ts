import { readdir, readFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import type { FastifyInstance } from 'fastify';

const contentTypes: Readonly<Record<string, string>> = {
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.ttf': 'font/ttf',
};

/** `GET /graphiql/:file` for the files in `directory`, and nothing outside of it. */
export function addGraphiqlRoutes(server: FastifyInstance, directory: string): void {
  server.get<{ Params: { file: string } }>('/graphiql/:file', async (request, reply) => {
    const { file } = request.params;
    const contentType = contentTypes[extname(file)];
    // Compared with the names that are there: a client's text never becomes part of a path.
    const name =
      contentType === undefined ? undefined : (await readdir(directory)).find((each) => each === file);
    if (name === undefined || contentType === undefined) return reply.callNotFound();
    return reply
      .header('cache-control', 'no-cache')
      .type(contentType)
      .send(await readFile(join(directory, name)));
  });
}

/** The page that loads GraphiQL from those files. It talks to the address at which it was opened. */
export const graphiqlPage = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>GraphiQL</title>
    <link rel="stylesheet" href="/graphiql/app.css">
    <link rel="stylesheet" href="/graphiql/style.css">
    <style>html, body, #graphiql { height: 100%; margin: 0; }</style>
  </head>
  <body>
    <div id="graphiql">Loading GraphiQL…</div>
    <script type="module" src="/graphiql/app.js"></script>
  </body>
</html>
`;
