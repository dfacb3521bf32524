import { chdir, cwd, env, exit } from 'node:process';
import { ModernFakeTimers } from '@jest/fake-timers';
import { ModuleMocker } from 'jest-mock';

// The processes that suites start share compiled code. jest's workers do not: each suite evaluates its modules under URLs of
// its own, and a worker would need longer to store thousands of them at its end than jest waits for it.
if (env.TEST_COMPILE_CACHE !== undefined) env.NODE_COMPILE_CACHE = env.TEST_COMPILE_CACHE;

interface EnvironmentConfig {
  readonly projectConfig: ConstructorParameters<typeof ModernFakeTimers>[0]['config'];
}

/** An event of jest-circus, with the members that are used here. */
interface TestEvent {
  readonly name: string;
  readonly test?: { readonly errors: readonly unknown[] };
}

interface DescribeBlock {
  readonly children: readonly (DescribeBlock | { readonly errors: readonly unknown[] })[];
}

interface TestState {
  readonly rootDescribeBlock: DescribeBlock;
  readonly unhandledErrors: readonly unknown[];
}

/** Replaces the URLs of a suite's modules in stacks with paths, which editors and jest's code frames can read. */
function cleanStack(error: unknown): void {
  if (Array.isArray(error)) error.forEach(cleanStack);
  if (!(error instanceof Error)) return;
  const { stack, cause } = error;
  if (stack !== undefined) error.stack = stack.replaceAll(/file:(?:\/\/)?(\/[^\s?)]*)\?suite=\d+/g, '$1');
  cleanStack(cause);
  if (error instanceof AggregateError) error.errors.forEach(cleanStack);
}

function errorsIn({ children }: DescribeBlock): readonly unknown[] {
  return children.flatMap((child) => ('errors' in child ? child.errors : errorsIn(child)));
}

/** The jest environment of a suite that runs in the worker's own realm, without a `node:vm` context. `teardown`
 *  restores what a suite may have changed in the process: console, environment variables, working directory,
 *  `process.exit`, timers and mocked methods. */
export default class NativeEnvironment {
  readonly global = globalThis;
  readonly moduleMocker = new ModuleMocker(globalThis);
  readonly fakeTimersModern: ModernFakeTimers;
  readonly #console = globalThis.console;
  readonly #exit = exit;
  readonly #env = { ...env };
  readonly #cwd = cwd();

  constructor({ projectConfig }: EnvironmentConfig) {
    this.fakeTimersModern = new ModernFakeTimers({ config: projectConfig, global: globalThis });
  }

  async setup(): Promise<void> {
    // jest formats every stack with source maps, which do not exist here, and records 100 frames of each error. The
    // gateway creates thousands of errors.
    Reflect.set(Error, 'prepareStackTrace', undefined);
    Error.stackTraceLimit = 30;
  }

  /** Called by jest-circus with each step of the suite. */
  handleTestEvent({ name, test }: TestEvent, state: TestState): void {
    if (name === 'test_done') test?.errors.forEach(cleanStack);
    // jest-circus adds unhandled rejections to the errors of tests that have ended.
    if (name === 'run_finish')
      [...errorsIn(state.rootDescribeBlock), ...state.unhandledErrors].forEach(cleanStack);
  }

  async teardown(): Promise<void> {
    this.moduleMocker.restoreAllMocks();
    this.fakeTimersModern.dispose();
    globalThis.console = this.#console;
    process.exit = this.#exit;
    for (const name of Object.keys(env)) if (!(name in this.#env)) delete env[name];
    Object.assign(env, this.#env);
    if (cwd() !== this.#cwd) chdir(this.#cwd);
  }

  /** Required by jest, which calls it only to collect coverage. */
  getVmContext(): null {
    return null;
  }
}
