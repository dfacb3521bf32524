import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Plugin } from 'esbuild';

/** Bundles GraphiQL with its editor and workers into `directory`, so that no CDN is needed. The build and `npm start` call
 *  this; the gateway only serves the files. Returns the bundled source files. */
export async function bundleGraphiql(directory: string): Promise<readonly string[]> {
  // A demo imports this file without esbuild.
  const { build } = await import('esbuild');
  const { metafile } = await build({
    metafile: true,
    entryPoints: {
      app: fileURLToPath(new URL('./main.tsx', import.meta.url)),
      style: fileURLToPath(new URL('./styles.css', import.meta.url)),
      'editor.worker': 'monaco-editor/esm/vs/editor/editor.worker.js',
      'json.worker': 'monaco-editor/esm/vs/language/json/json.worker.js',
      'graphql.worker': 'monaco-graphql/esm/graphql.worker.js',
    },
    absWorkingDir: fileURLToPath(new URL('../../../..', import.meta.url)),
    outdir: directory,
    bundle: true,
    splitting: true,
    minify: true,
    format: 'esm',
    jsx: 'automatic',
    loader: { '.ttf': 'file' },
    define: { 'process.env.NODE_ENV': '"production"' },
    logLevel: 'error',
    plugins: patches.map(createPatch),
  });
  return Object.keys(metafile.inputs);
}

/** Changes in the text of a dependency, for what it has no option. */
interface Patch {
  readonly file: RegExp;
  readonly replacements: readonly (readonly [replaced: string, by: string])[];
}

const patches: readonly Patch[] = [
  {
    // Writes each directive to the console of the browser.
    file: /basic-languages[\\/]graphql[\\/]graphql\.js$/,
    replacements: [[', log: "annotation token: $0"', '']],
  },
  {
    // A tab without a named operation.
    file: /@graphiql[\\/]react[\\/]dist[\\/]utility[\\/]tabs\.js$/,
    replacements: [['"<untitled>"', '"Untitled"']],
  },
  {
    // Directives are below the contrast of 4.5 that small text needs; in the dark theme also comments and line numbers.
    file: /@graphiql[\\/]react[\\/]dist[\\/]constants\.js$/,
    replacements: [
      [
        'colors: getBaseColors("dark"),\n\t\trules: [',
        'colors: { ...getBaseColors("dark"), "editorLineNumber.foreground": "#b7c2d7" }, rules: [{ token: "comment", foreground: "#9cc983" }, { token: "annotation", foreground: "#e08a8a" }, ',
      ],
      [
        'colors: getBaseColors("light"),\n\t\trules: [',
        'colors: getBaseColors("light"), rules: [{ token: "annotation", foreground: "#6b6b6b" }, ',
      ],
    ],
  },
];

function createPatch({ file, replacements }: Patch): Plugin {
  return {
    name: `patch of ${file}`,
    setup({ onLoad }) {
      onLoad({ filter: file }, async ({ path }) => {
        let contents = await readFile(path, 'utf8');
        for (const [replaced, by] of replacements) {
          if (!contents.includes(replaced))
            throw new Error(`${path} has another version: it does not contain ${JSON.stringify(replaced)}.`);
          contents = contents.replace(replaced, () => by);
        }
        return { contents };
      });
    },
  };
}
