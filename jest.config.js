import { execFileSync } from 'node:child_process';
import process from 'node:process';

// Generated cases change with the commit, see test/harness/seeds.ts.
process.env.TEST_COMMIT ??= currentCommit();

/** @type {import('jest').Config} */
export default {
  roots: ['<rootDir>/test'],
  testMatch: ['**/*.test.ts'],
  // Suites are loaded by Node itself, which runs TypeScript as it is. See test/runner/.
  testEnvironment: '<rootDir>/test/runner/environment.ts',
  runtime: '<rootDir>/test/runner/runtime.ts',
  transform: {},
  testSequencer: '<rootDir>/test/runner/sequencer.ts',
  injectGlobals: false,
  modulePathIgnorePatterns: ['<rootDir>/dist/', '<rootDir>/bench/node_modules/'],
  maxWorkers: 2,
  workerIdleMemoryLimit: '800MB',
  // Far more than any test takes, also on a machine that does many other things: only what hangs takes so long.
  testTimeout: 240_000,
};

/** Empty outside of a repository. */
function currentCommit() {
  try {
    return execFileSync('git', ['rev-parse', 'HEAD'], { encoding: 'utf8', stdio: 'pipe' }).trim();
  } catch {
    return '';
  }
}
