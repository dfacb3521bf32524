import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from '@jest/globals';

const resources = new AsyncDisposableStack();
afterAll(() => resources.disposeAsync());

/** Disposes of a resource that the tests of a file share, after the last test. Resources end in the reverse order. */
export function disposeAfterSuite<Resource extends AsyncDisposable | Disposable>(
  resource: Resource,
): Resource {
  return resources.use(resource);
}

/** Creates an empty directory, which is removed after the tests of the file. */
export function createTemporaryDirectory(): string {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), 'tributary-test-')));
  resources.defer(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}
