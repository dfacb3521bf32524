import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Creates a directory that is removed when this process exits. */
export function createTemporaryDirectory(name: string): string {
  const directory = mkdtempSync(join(tmpdir(), `tributary-${name}-`));
  process.once('exit', () => rmSync(directory, { recursive: true, force: true }));
  return directory;
}
