import { deepFreeze } from '../json/deepFreeze.ts';
import { type ConfigContext, checkCrossSectionRules } from './checkCrossSectionRules.ts';
import { ConfigError, type ConfigProblem } from './configError.ts';
import { sectionOf } from './isSection.ts';
import { type GatewayConfig, gatewaySchema } from './schema.ts';
import { toConfigProblems } from './toConfigProblems.ts';

/** Validates options, adds the defaults and freezes the result.
 *  @throws {ConfigError} with all problems. */
export function parseConfig(options: unknown, context?: ConfigContext): GatewayConfig {
  const problems = findConfigProblems(options, context);
  if (problems.length > 0) throw new ConfigError(problems);
  return deepFreeze(gatewaySchema.parse(options));
}

/** The configuration with the options of these sections, which have no problems, and with the defaults of all others. */
export function parseSections(options: unknown, sections: readonly string[]): GatewayConfig {
  const used = Object.entries(sectionOf(options)).filter(([name]) => sections.includes(name));
  return deepFreeze(gatewaySchema.parse(Object.fromEntries(used)));
}

/** All problems in these options. */
export function findConfigProblems(options: unknown, context?: ConfigContext): ConfigProblem[] {
  const { error } = gatewaySchema.safeParse(options);
  const problems = toConfigProblems(error?.issues ?? [], options, context?.textsFromFiles);
  const reportedPaths = new Set(problems.map(({ path }) => path));
  // A rule about several options takes the default of one that is invalid.
  const conflicts = checkCrossSectionRules(options, context).filter(({ path }) => !reportedPaths.has(path));
  return [...problems, ...conflicts];
}
