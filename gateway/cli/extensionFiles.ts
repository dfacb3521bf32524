import { readFileSync } from 'node:fs';
import { createRequire, registerHooks } from 'node:module';
import { resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { FileWatcher } from '../files/fileWatcher.ts';

const require = createRequire(import.meta.url);
let lastVersion = 0;

/** The files of extensions while one gateway runs: the modules that the configuration names by their path, and what they
 *  import by path. A new version in their URLs makes Node load them again. Packages are loaded once. */
export class ExtensionFiles {
  /** By path: the text before the file was loaded, `undefined` for a missing file. */
  readonly #texts = new Map<string, string | undefined>();
  readonly #hooks: { deregister(): void };
  #watcher: FileWatcher | undefined;

  /** `modules`: those of the configuration. */
  constructor(modules: readonly string[]) {
    lastVersion += 1;
    const version = `${lastVersion}`;
    const entries = new Set(modules.map((module) => pathToFileURL(resolve(module)).href));
    this.#hooks = registerHooks({
      resolve: (specifier, context, nextResolve) => {
        const { parentURL } = context;
        const isImported = /^(?:[./#]|file:)/.test(specifier) && this.#texts.has(pathOf(parentURL));
        if (!isImported && !entries.has(specifier)) return nextResolve(specifier, context);
        try {
          const resolved = nextResolve(specifier, context);
          if (!this.#add(pathOf(resolved.url))) return resolved;
          const url = new URL(resolved.url);
          url.searchParams.set('tributary-dev', version);
          return { ...resolved, url: url.href };
        } catch (error) {
          this.#add(pathOf(new URL(specifier, parentURL).href));
          throw error;
        }
      },
    });
  }

  /** Calls `onChange` when one of the files that are loaded now changes, or has changed since. */
  async watch(onChange: () => void): Promise<void> {
    if (this.#watcher !== undefined) return;
    const loaded = [...this.#texts];
    this.#watcher = new FileWatcher({
      files: loaded.map(([file]) => file),
      read: async () => {
        if (loaded.some(([file, text]) => readText(file) !== text)) onChange();
        return true;
      },
    });
    await this.#watcher.start();
  }

  async close(): Promise<void> {
    this.#hooks.deregister();
    await this.#watcher?.stop();
  }

  #add(file: string): boolean {
    if (file === '') return false;
    if (!this.#texts.has(file)) {
      this.#texts.set(file, readText(file));
      // Node finds a CommonJS module by its path.
      delete require.cache[file];
    }
    return true;
  }
}

/** Empty for what is not a file, or belongs to an installed package. */
function pathOf(url: string | undefined): string {
  return url?.startsWith('file:') && !url.includes('/node_modules/') ? fileURLToPath(url) : '';
}

function readText(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
