import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { readPageBundle } from './pageBundle.ts';

export interface Asset {
  readonly body: Uint8Array;
  readonly contentType: string;
  readonly etag: string;
}

const pageDirectory = fileURLToPath(new URL('./page/', import.meta.url));

/** All files of the page, by URL path. Bundles its script unless the bundle is current. */
export async function buildAssets(): Promise<ReadonlyMap<string, Asset>> {
  const [html, styles, script] = await Promise.all([
    readFile(`${pageDirectory}index.html`),
    readFile(`${pageDirectory}styles.css`),
    readPageBundle(),
  ]);
  return new Map([
    ['/', asset(html, 'text/html; charset=utf-8')],
    ['/styles.css', asset(styles, 'text/css; charset=utf-8')],
    ['/main.js', asset(script, 'text/javascript; charset=utf-8')],
  ]);
}

function asset(body: Uint8Array, contentType: string): Asset {
  const digest = createHash('sha256').update(body).digest('base64url').slice(0, 22);
  return { body, contentType, etag: `"${digest}"` };
}
