import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

/** Bundles GraphiQL with its editor and workers into `directory`, so that no CDN is needed. The build and `npm start` call
 *  this; the gateway only serves the files. */
export async function bundleGraphiql(directory: string): Promise<void> {
  await build({
    entryPoints: {
      app: fileURLToPath(new URL('./app.ts', import.meta.url)),
      style: 'graphiql/style.css',
      'editor.worker': 'monaco-editor/esm/vs/editor/editor.worker.js',
      'json.worker': 'monaco-editor/esm/vs/language/json/json.worker.js',
      'graphql.worker': 'monaco-graphql/esm/graphql.worker.js',
    },
    absWorkingDir: fileURLToPath(new URL('../../..', import.meta.url)),
    outdir: directory,
    bundle: true,
    splitting: true,
    minify: true,
    format: 'esm',
    loader: { '.ttf': 'file' },
    define: { 'process.env.NODE_ENV': '"production"' },
    logLevel: 'error',
  });
}
