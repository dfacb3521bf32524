import { glob, readFile } from 'node:fs/promises';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../..');

export interface Page {
  /** Relative to the repository's root. */
  readonly path: string;
  readonly text: string;
}

export interface CodeBlock {
  /** What follows the fence, such as `yaml`; empty if there is nothing. */
  readonly language: string;
  /** Without the indentation of the fence. */
  readonly code: string;
  /** The line of the fence in the page, from 1. */
  readonly line: number;
}

/** All pages of the repository, sorted by path. */
export async function readPages(): Promise<readonly Page[]> {
  const patterns = [
    '*.md',
    'docs/**/*.md',
    'deploy/**/*.md',
    'contracts/demo/*.md',
    'subgraphs/*.md',
    'storefront/*.md',
    'bench/*.md',
    '.changeset/*.md',
  ];
  const pages: Page[] = [];
  for await (const path of glob(patterns, { cwd: root })) {
    pages.push({ path, text: await readFile(join(root, path), 'utf8') });
  }
  return pages.sort((a, b) => (a.path < b.path ? -1 : 1));
}

export function codeBlocksOf({ text }: Page): readonly CodeBlock[] {
  const fences = text.matchAll(/^( *)```([^\n]*)\n([\s\S]*?)^\1```$/gm);
  return Array.from(fences, ({ index, 1: indent = '', 2: language = '', 3: code = '' }) => ({
    language,
    code: code.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
    line: text.slice(0, index).split('\n').length,
  }));
}

/** The name of the file that a reader saves the block to: in the first line, as in `# tributary.yaml` or `// books.mjs`. */
export function fileNameOf({ code }: CodeBlock): string | undefined {
  return /^(?:#|\/\/) (\S+\.\w+)\n/.exec(code)?.[1];
}

/** The TypeScript modules of a page: blocks that a reader saves to a file, or that import the gateway. Other blocks are
 *  parts of modules. */
export function typeScriptModulesOf(page: Page): readonly string[] {
  return codeBlocksOf(page)
    .filter(({ language }) => language === 'ts')
    .filter((block) => fileNameOf(block) !== undefined || /from 'tributary-gateway'/.test(block.code))
    .map(({ code }) => code);
}
