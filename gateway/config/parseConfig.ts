import { checkTogether } from './checkTogether.ts';
import { ConfigError, type ConfigProblem } from './configError.ts';
import { readProblems } from './readProblems.ts';
import { type GatewayConfig, gatewaySchema } from './schema.ts';

/** Checks options, fills in the defaults and freezes the result.
 *  Errors: `ConfigError` with every problem. */
export function parseConfig(options: unknown): GatewayConfig {
  const problems = listProblems(options);
  if (problems.length > 0) throw new ConfigError(problems);
  return deepFreeze(gatewaySchema.parse(options));
}

/** Everything that is wrong in these options; empty where nothing is. */
export function listProblems(options: unknown): ConfigProblem[] {
  const { error } = gatewaySchema.safeParse(options);
  return [...readProblems(error?.issues ?? [], options), ...checkTogether(options)];
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    for (const child of Object.values(value)) deepFreeze(child);
    Object.freeze(value);
  }
  return value;
}
