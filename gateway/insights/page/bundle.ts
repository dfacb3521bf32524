import { fileURLToPath } from 'node:url';

/** Bundles the insights page into `directory`. The build and `npm start` call this; the gateway only serves the files. Returns
 *  the bundled source files. */
export async function bundleInsightsPage(directory: string): Promise<readonly string[]> {
  // A demo imports this file without esbuild.
  const { build } = await import('esbuild');
  const { metafile } = await build({
    metafile: true,
    entryPoints: {
      app: fileURLToPath(new URL('./main.tsx', import.meta.url)),
      style: fileURLToPath(new URL('./styles.css', import.meta.url)),
    },
    absWorkingDir: fileURLToPath(new URL('../../..', import.meta.url)),
    outdir: directory,
    bundle: true,
    minify: true,
    format: 'esm',
    target: 'es2022',
    jsx: 'automatic',
    jsxImportSource: 'preact',
    legalComments: 'none',
    logLevel: 'error',
  });
  return Object.keys(metafile.inputs);
}
