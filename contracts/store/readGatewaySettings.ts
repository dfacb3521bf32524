import { dirname, join } from 'node:path';
import type { ConfigProblem } from '../../gateway/config/configError.ts';
import { maxDurationMs, parseDuration } from '../../gateway/config/duration.ts';
import { expandReferences, referenceValues } from '../../gateway/config/expandReferences.ts';
import { isSection, sectionOf } from '../../gateway/config/isSection.ts';
import { findConfigProblems, parseConfig } from '../../gateway/config/parseConfig.ts';
import { describeReadError } from '../../gateway/files/describeReadError.ts';
import { readTextFile } from '../../gateway/files/readTextFile.ts';
import { operationLimitNames } from '../../gateway/operation/operationLimits.ts';
import type { Environment } from '../contractStore.ts';
import { createFinding, type FileLocation, type Finding } from '../finding.ts';
import { defaultGatewaySettings, type GatewaySettings, operationLimitsOf } from '../gatewaySettings.ts';
import { displayPath } from './displayPath.ts';
import { readYaml, type YamlFile } from './readYaml.ts';

export interface ReadGatewaySettingsOptions {
  /** Directory of the store, from which an environment names its file. */
  readonly directory: string;
  /** The environment that is compared with. */
  readonly environment?: Environment | undefined;
  /** Path of a configuration file, instead of the environment's. */
  readonly gatewayConfig?: string | undefined;
  /** Duration such as `40ms`, instead of the environment's. */
  readonly stepLatency?: string | undefined;
}

interface GatewaySettingsResult {
  readonly gatewaySettings: GatewaySettings;
  readonly problems: readonly Finding[];
}

/** Reads the settings of the gateways from the arguments or the environment. */
export async function readGatewaySettings(
  options: ReadGatewaySettingsOptions,
): Promise<GatewaySettingsResult> {
  const { directory, environment, gatewayConfig, stepLatency } = options;
  const problems: Finding[] = [];
  const given = stepLatency === undefined ? undefined : parseStepLatency(stepLatency);
  if (stepLatency !== undefined && given === undefined) problems.push(invalidStepLatency(stepLatency));
  const named = environment?.gatewayConfig;
  const file = gatewayConfig ?? (named && join(directory, named.file));
  const namedAt = gatewayConfig === undefined ? named?.location : undefined;
  const read =
    file === undefined ? { settings: defaultGatewaySettings } : await readGatewayConfig(file, namedAt);
  if ('problems' in read) problems.push(...read.problems);
  const known = 'settings' in read ? read.settings : defaultGatewaySettings;
  return { gatewaySettings: { ...known, stepLatencyMs: given ?? environment?.stepLatencyMs }, problems };
}

type ConfigResult = { readonly settings: GatewaySettings } | { readonly problems: readonly Finding[] };

/** A duration in milliseconds; `undefined` unless it is positive. */
export function parseStepLatency(text: string): number | undefined {
  const ms = parseDuration(text);
  return ms !== undefined && ms > 0 && ms <= maxDurationMs ? ms : undefined;
}

/** Reads the settings of a configuration file the way a gateway reads them, or what is wrong with it. Environment
 *  variables and files without a value are a mistake only where a setting needs them, because a check does not run where the
 *  gateway runs. */
async function readGatewayConfig(path: string, namedAt: FileLocation | undefined): Promise<ConfigResult> {
  const file = displayPath(path);
  const text = await readText(path);
  if (typeof text !== 'string') return { problems: [unreadableConfig(file, text.reason, namedAt)] };
  const read = readYaml(text, file, 'gateway-config-unreadable');
  if ('problems' in read) return read;
  const { yaml } = read;
  const {
    expanded,
    problems: unset,
    ...context
  } = expandReferences(yaml.toJS() ?? {}, referenceValues(process.env, dirname(path)));
  const options =
    isSection(expanded) && expanded.supergraph === undefined
      ? { ...expanded, supergraph: { file: 'checked' } }
      : expanded;
  const unsetPaths = new Set(unset.map((problem) => problem.path));
  const mistakes = [
    ...findConfigProblems(options, context).filter((problem) => !unsetPaths.has(problem.path)),
    ...unset.filter((problem) => isUsedPath(problem.path)),
  ];
  if (mistakes.length > 0) return { problems: mistakes.map((problem) => invalidConfig(problem, yaml)) };
  return { settings: gatewaySettingsFrom(options, yaml) };
}

function isUsedPath(path: string): boolean {
  return (
    /^(cache\.(enabled|rules)|enrichment|planning\.memory|limits\.cost|limits\.rate\.cost)\b/.test(path) ||
    operationLimitNames.some((name) => path === `limits.${name}`)
  );
}

/** The configuration has no mistakes except references without a value outside these sections. */
function gatewaySettingsFrom(options: unknown, yaml: YamlFile): GatewaySettings {
  const sections = sectionOf(options);
  const { enabled, rules } = sectionOf(sections.cache);
  const { memory } = sectionOf(sections.planning);
  const limits = sectionOf(sections.limits);
  const parsed = parseConfig({
    supergraph: { file: 'checked' },
    cache: { enabled, rules },
    enrichment: sections.enrichment,
    planning: { memory },
    limits: {
      ...Object.fromEntries([...operationLimitNames, 'cost'].map((name) => [name, limits[name]])),
      rate: { cost: sectionOf(limits.rate).cost },
    },
  });
  const { cache, enrichment, planning } = parsed;
  return {
    cache: { enabled: cache.enabled, rules: cache.rules },
    enrichments: { fields: enrichment.fields, budget: enrichment.budget },
    limits: operationLimitsOf(parsed),
    cost: parsed.limits.cost,
    rateCost: parsed.limits.rate.cost,
    waitsForAll: enrichment.mode === 'never' || enrichment.shadow,
    ...(memory === undefined ? {} : { planningMemory: planning.memory }),
    locate: (section, key) => yaml.locationAtPath([...section.split('.'), key]),
  };
}

async function readText(path: string): Promise<string | { readonly reason: string }> {
  return await readTextFile(path).catch((error: unknown) => ({ reason: describeReadError(error) }));
}

function unreadableConfig(file: string, reason: string, namedAt: FileLocation | undefined): Finding {
  return createFinding('gateway-config-unreadable', {
    message: `${file} ${reason}.`,
    advice:
      namedAt === undefined
        ? 'Name the configuration of the gateways with --gateway-config FILE.'
        : "Correct `gatewayConfig` of the environment: it is a path from the store's directory.",
    location: namedAt ?? { file, line: 1, column: 1 },
  });
}

function invalidConfig({ path, message, expected }: ConfigProblem, yaml: YamlFile): Finding {
  return createFinding('gateway-config-invalid', {
    message: `A gateway refuses this configuration: ${path === '' ? 'it' : path} ${message}.`,
    advice: expected === '' ? undefined : `Expected: ${expected}.`,
    location: yaml.locationAtPath(splitConfigPath(path)),
  });
}

/** Splits a path such as `cache.rules["Product.stock"].maxAge` into its keys. */
function splitConfigPath(path: string): readonly string[] {
  return Array.from(
    path.matchAll(/\["((?:[^"\\]|\\.)*)"\]|\[(\d+)\]|([\w-]+)/g),
    ([, quoted, index, word]) =>
      (quoted === undefined ? (index ?? word) : JSON.parse(`"${quoted}"`)) as string,
  );
}

function invalidStepLatency(text: string): Finding {
  return createFinding('argument-invalid', {
    message: `--step-latency is "${text}", which is not a duration longer than 0.`,
    advice: 'Give the duration of one fetch, such as --step-latency 40ms.',
  });
}
