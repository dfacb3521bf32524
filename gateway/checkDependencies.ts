import { ConfigError, type ConfigProblem } from './config/configError.ts';
import { suggestName } from './config/findNearestName.ts';
import { isObject } from './json/isObject.ts';

type Check = readonly [isValid: (value: unknown) => boolean, expected: string];

const isFunction = (value: unknown): boolean => typeof value === 'function';
const hasMethods =
  (...names: readonly string[]) =>
  (value: unknown): boolean =>
    isObject(value) && names.every((name) => isFunction(value[name]));

const checks = {
  plugins: [(value) => Array.isArray(value) && value.every(isObject), 'a list of Apollo Server plugins'],
  logger: [hasMethods('child', 'isLevelEnabled', 'debug', 'info', 'warn', 'error'), 'a pino logger'],
  tracerProvider: [hasMethods('getTracer'), "OpenTelemetry's `TracerProvider`"],
  random: [isFunction, 'a function'],
  readIdentity: [isFunction, 'a function'],
  now: [isFunction, 'a function'],
  timers: [hasMethods('now', 'after'), 'an object with `now` and `after`'],
  load: [hasMethods('start', 'readSample', 'stop'), 'an object with `start`, `readSample` and `stop`'],
  startPlannerThread: [isFunction, 'a function'],
  worker: [isObject, 'an object'],
  waitToListenUnready: [isFunction, 'a function'],
} as const satisfies Record<string, Check>;

type DependencyName = keyof typeof checks;

/** Checks the second argument of `createGateway`, for programs in JavaScript: otherwise, a misspelled name has no effect.
 *  `Name`: all names, so that the compiler finds one without a check.
 *  @throws {ConfigError} with all problems. */
export function checkDependencies<Name extends DependencyName>(
  dependencies: {
    readonly [Key in Name]?: unknown;
  },
): void {
  if (!isObject(dependencies)) {
    const expected = 'an object, or nothing';
    throw new ConfigError([{ path: 'dependencies', message: 'is not an object', expected }]);
  }
  const problems = Object.entries(dependencies).flatMap(([name, value]): ConfigProblem[] => {
    const path = `dependencies.${name}`;
    const names = Object.keys(checks);
    if (!Object.hasOwn(checks, name)) {
      const expected = `one of ${names.join(', ')}`;
      return [{ path, message: `is not known${suggestName(name, names)}`, expected }];
    }
    const [isValid, expected] = checks[name as DependencyName];
    if (value === undefined || isValid(value)) return [];
    return [{ path, message: 'cannot be used', expected }];
  });
  if (problems.length > 0) throw new ConfigError(problems);
}
