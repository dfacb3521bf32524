import { execFileSync } from 'node:child_process';
import process from 'node:process';

// Generated cases depend on the commit. See test/harness/seeds.ts.
process.env.TEST_COMMIT ??= currentCommit();

/** @type {import('jest').Config} */
export default {
  roots: ['<rootDir>/test'],
  testMatch: ['**/*.test.ts'],
  // Node itself loads the suites and strips their types. See test/runner/.
  testEnvironment: '<rootDir>/test/runner/environment.ts',
  runtime: '<rootDir>/test/runner/runtime.ts',
  transform: {},
  testSequencer: '<rootDir>/test/runner/sequencer.ts',
  injectGlobals: false,
  modulePathIgnorePatterns: ['<rootDir>/dist/', '<rootDir>/bench/(.+/)?node_modules/'],
  // One more than two processors: suites also wait, for processes that start, for Redis and for the browser.
  maxWorkers: 3,
  workerIdleMemoryLimit: '800MB',
  // On a busy machine, releasing the memory of a worker alone takes longer than jest's default of half a second.
  workerGracefulExitTimeout: 10_000,
  // Far longer than any test takes, even on a busy machine. Only a hanging test reaches this limit.
  testTimeout: 240_000,
};

/** Returns an empty string outside of a repository. */
function currentCommit() {
  try {
    return execFileSync('git', ['rev-parse', 'HEAD'], { encoding: 'utf8', stdio: 'pipe' }).trim();
  } catch {
    return '';
  }
}
