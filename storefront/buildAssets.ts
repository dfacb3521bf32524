import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

export interface Asset {
  readonly body: Uint8Array;
  readonly contentType: string;
  readonly etag: string;
}

const pageDirectory = fileURLToPath(new URL('./page/', import.meta.url));

/** Builds all files of the page in memory, by URL path. */
export async function buildAssets(): Promise<ReadonlyMap<string, Asset>> {
  const [html, styles, script] = await Promise.all([
    readFile(`${pageDirectory}index.html`),
    readFile(`${pageDirectory}styles.css`),
    bundle(`${pageDirectory}main.tsx`),
  ]);
  return new Map([
    ['/', asset(html, 'text/html; charset=utf-8')],
    ['/styles.css', asset(styles, 'text/css; charset=utf-8')],
    ['/main.js', asset(script, 'text/javascript; charset=utf-8')],
  ]);
}

async function bundle(entryPoint: string): Promise<Uint8Array> {
  const { outputFiles } = await build({
    entryPoints: [entryPoint],
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    jsx: 'automatic',
    minify: true,
    legalComments: 'none',
    conditions: ['production'],
    define: { 'process.env.NODE_ENV': '"production"', 'globalThis.__DEV__': 'false' },
    logLevel: 'silent',
  });
  const [script] = outputFiles;
  if (script === undefined) throw new Error(`esbuild made no output for ${entryPoint}`);
  return script.contents;
}

function asset(body: Uint8Array, contentType: string): Asset {
  const digest = createHash('sha256').update(body).digest('base64url').slice(0, 22);
  return { body, contentType, etag: `"${digest}"` };
}
