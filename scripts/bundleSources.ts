import { globSync, readFileSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { build, type Plugin } from 'esbuild';

/** The directory of the bundles in `dist/`. */
const bundleFolder = 'modules';

/** Bundles the sources into `out`: files that load in half of the time of one file for each source. What is imported on
 *  demand has files of its own. Dependencies are not bundled. The entries of the package, of the command and of threads are
 *  at the paths of their sources and import their bundles. */
export async function bundleSources(root: string, out: string): Promise<void> {
  const library = 'gateway/gateway';
  const programs = ['gateway/cli', ...findThreadEntries(root)];
  const checkNode = 'gateway/requireNode';
  const { outputFiles } = await build({
    write: false,
    entryPoints: Object.fromEntries(
      [library, ...programs, checkNode].map((entry) => [bundleName(entry), `${entry}.ts`]),
    ),
    absWorkingDir: root,
    outdir: join(out, bundleFolder),
    bundle: true,
    splitting: true,
    packages: 'external',
    format: 'esm',
    platform: 'node',
    target: 'es2024',
    logLevel: 'warning',
    plugins: [sourceUrls(root), builtinModules],
  });
  await mkdir(join(out, bundleFolder), { recursive: true });
  for (const { path, text } of outputFiles) {
    await writeFile(path, withAsciiComments(text));
  }
  const writeEntry = async (entry: string, write: (urlOf: (bundled: string) => string) => string) => {
    const directory = join(out, dirname(entry));
    await mkdir(directory, { recursive: true });
    const path = relative(directory, join(out, bundleFolder));
    await writeFile(
      join(out, `${entry}.js`),
      write((bundled) => `'${path}/${bundleName(bundled)}.js'`),
    );
  };
  // First, so that an old Node is reported before a dependency fails to load.
  await writeEntry(library, (urlOf) => `import ${urlOf(checkNode)};\nexport * from ${urlOf(library)};\n`);
  for (const entry of programs) {
    // Not imported statically: V8 of Node 22 crashes when a thread ends while a module continues whose import has awaited.
    await writeEntry(entry, (urlOf) => `import ${urlOf(checkNode)};\nimport(${urlOf(entry)});\n`);
  }
}

/** Returns a bundle without non-ASCII characters in its comments. The bundler escapes them elsewhere, and Node keeps the text of
 *  a file with one of them in memory with two bytes per character. */
function withAsciiComments(bundle: string): string {
  return bundle.replaceAll(/^ *(?:\/\*\*|\*|\/\/).*$/gm, (comment) =>
    comment.replaceAll('…', '...').replaceAll(/[^ -~]/g, '?'),
  );
}

function bundleName(entry: string): string {
  return entry.replaceAll('/', '-');
}

/** The sources that `workerEntryUrl` names, without their ending. */
function findThreadEntries(root: string): string[] {
  return globSync('gateway/**/*.ts', { cwd: root }).flatMap((path) =>
    Array.from(readFileSync(join(root, path), 'utf8').matchAll(/workerEntryUrl\('(\w+)'/g), ([, name = '']) =>
      join(dirname(path), name),
    ),
  );
}

/** Lets `import.meta.url` in a source be the URL that the source would have in `dist/`. */
function sourceUrls(root: string): Plugin {
  return {
    name: 'source URLs',
    setup({ onLoad }) {
      onLoad({ filter: /\/(gateway|contracts)\/.*\.ts$/ }, async ({ path }) => {
        const source = await readFile(path, 'utf8');
        const url = `new URL('../${relative(root, path).replace(/\.ts$/, '.js')}', import.meta.url).href`;
        return { contents: source.replaceAll('import.meta.url', url), loader: 'ts' };
      });
    },
  };
}

/** Reads modules of Node without an import. An import of `node:http` reads all of its exports, and so loads Node's own copy of
 *  undici for some of them: 28 ms. The others have exports that Node 20 lacks: an import of them fails before
 *  `requireNode.ts` can report the version. */
const builtinModules: Plugin = {
  name: 'builtin modules',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^node:(http|zlib|worker_threads)$/ }, ({ path }) => ({
      path,
      namespace: 'builtin',
    }));
    onLoad({ filter: /.*/, namespace: 'builtin' }, ({ path }) => ({
      contents: `module.exports = process.getBuiltinModule('${path}');`,
      loader: 'js',
    }));
  },
};
