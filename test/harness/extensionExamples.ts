import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** The TypeScript examples of a page, by the path in their first line, such as `extensions/tenant.ts`. */
export async function readExtensionExamples(
  page = 'docs/extensions.md',
): Promise<ReadonlyMap<string, string>> {
  const text = await readFile(join(import.meta.dirname, '../..', page), 'utf8');
  const blocks = Array.from(text.matchAll(/^```ts\n([\s\S]*?)^```$/gm), ([, code = '']) => code);
  return new Map(
    blocks.map((code) => {
      const path = /^\/\/ (\S+\.ts)\n/.exec(code)?.[1];
      if (path === undefined) throw new Error(`An example has no path in its first line:\n${code}`);
      return [path, code];
    }),
  );
}

/** Writes examples to files in a directory. `packageUrl`: what they import instead of the package; a relative one starts at
 *  the directory. Returns the files by their paths. */
export async function writeExtensionExamples(
  directory: string,
  examples: ReadonlyMap<string, string>,
  packageUrl: string,
): Promise<ReadonlyMap<string, string>> {
  const files = new Map<string, string>();
  for (const [path, code] of examples) {
    const file = join(directory, path);
    await mkdir(dirname(file), { recursive: true });
    const up = packageUrl.startsWith('.') && path.includes('/') ? '../' : '';
    await writeFile(file, code.replaceAll("from 'tributary-gateway'", `from '${up}${packageUrl}'`));
    files.set(path, file);
  }
  return files;
}
