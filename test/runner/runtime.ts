import { createRequire } from 'node:module';
import process from 'node:process';
import type NativeEnvironment from './environment.ts';
import { deleteJestGlobals, setJestGlobals, suiteUrl } from './moduleHooks.ts';

/** Exit code that jest reports as a crash of the suite. Other codes make it run the suite again. */
const crashExitCode = 137;
const stateSymbols: ReadonlySet<string | undefined> = new Set(['JEST_STATE_SYMBOL', 'EVENT_HANDLERS']);

const require = createRequire(import.meta.url);

let suites = 0;
let running: string | undefined;

process.on('exit', (code) => {
  if (running === undefined) return;
  process.stderr.write(`The worker process exited with code ${code} while it ran ${running}.\n`);
  process.exitCode = crashExitCode;
});

/** The jest runtime of a suite that is loaded by Node itself: Node strips the types, the modules of the gateway are
 *  shared by all suites of a worker, and the modules of `test/` are evaluated anew for each suite. Module mocks and
 *  coverage are not available. */
export default class NativeRuntime {
  readonly #suite = `${++suites}`;
  readonly #environment: NativeEnvironment;
  readonly #testPath: string;

  constructor(
    _config: unknown,
    environment: NativeEnvironment,
    _resolver: unknown,
    _transformer: unknown,
    _cacheFS: unknown,
    _coverageOptions: unknown,
    testPath: string,
  ) {
    this.#environment = environment;
    this.#testPath = testPath;
    running = testPath;
  }

  /** Called with the entry of jest-circus. Its state lives as long as its module, so each suite evaluates it again. */
  requireInternalModule(file: string): unknown {
    this.#deleteState();
    delete require.cache[require.resolve(file)];
    return require(file);
  }

  requireModule(file: string): unknown {
    return require(file);
  }

  unstable_shouldLoadAsEsm(): boolean {
    return true;
  }

  unstable_importModule(file: string): Promise<unknown> {
    return import(suiteUrl(file, this.#suite));
  }

  setGlobalsForRuntime(globals: Readonly<Record<string, unknown>>): void {
    const mocker = this.#environment.moduleMocker;
    const timers = this.#environment.fakeTimersModern;
    const jest = {
      fn: mocker.fn.bind(mocker),
      spyOn: mocker.spyOn.bind(mocker),
      restoreAllMocks: mocker.restoreAllMocks.bind(mocker),
      useFakeTimers: timers.useFakeTimers.bind(timers),
      useRealTimers: timers.useRealTimers.bind(timers),
      advanceTimersByTime: timers.advanceTimersByTime.bind(timers),
      getTimerCount: timers.getTimerCount.bind(timers),
    };
    setJestGlobals(this.#suite, { ...globals, jest });
  }

  enterTestCode(): void {}

  leaveTestCode(): void {}

  getSourceMaps(): Map<string, string> {
    return new Map();
  }

  getAllCoverageInfoCopy(): undefined {
    return undefined;
  }

  teardown(): void {
    deleteJestGlobals(this.#suite);
    this.#deleteState();
    if (running === this.#testPath) running = undefined;
  }

  #deleteState(): void {
    for (const key of Object.getOwnPropertySymbols(globalThis)) {
      if (stateSymbols.has(key.description)) Reflect.deleteProperty(globalThis, key);
    }
  }
}
