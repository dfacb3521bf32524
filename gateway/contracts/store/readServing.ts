import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ConfigProblem } from '../../config/configError.ts';
import { longestDurationMs, parseDuration } from '../../config/duration.ts';
import { expandEnvironment } from '../../config/expandEnvironment.ts';
import { isSection, sectionOf } from '../../config/isSection.ts';
import { listProblems, parseConfig } from '../../config/parseConfig.ts';
import type { Environment } from '../contractStore.ts';
import type { Finding, Place } from '../finding.ts';
import { type Serving, unknownServing } from '../serving.ts';
import { problem } from './problem.ts';
import { readYaml, type YamlFile } from './readYaml.ts';
import { decodeText } from './storeFiles.ts';
import { userPath } from './userPath.ts';

export interface ReadServingOptions {
  /** Of the store: an environment's file is named from there. */
  readonly directory: string;
  /** What is checked against, where one is. */
  readonly environment?: Environment | undefined;
  /** A path from the working directory. It wins over the environment's. */
  readonly gatewayConfig?: string | undefined;
  /** `40ms`. It wins over the environment's. */
  readonly stepLatency?: string | undefined;
}

export interface ReadServing {
  readonly serving: Serving;
  readonly problems: readonly Finding[];
}

/** What the arguments or the environment say about the gateways. */
export async function readServing(options: ReadServingOptions): Promise<ReadServing> {
  const { directory, environment, gatewayConfig, stepLatency } = options;
  const problems: Finding[] = [];
  const given = stepLatency === undefined ? undefined : parseStepLatency(stepLatency);
  if (stepLatency !== undefined && given === undefined) problems.push(noStepLatency(stepLatency));
  const named = environment?.gatewayConfig;
  const file = gatewayConfig ?? (named && join(directory, named.file));
  const namedAt = gatewayConfig === undefined ? named?.place : undefined;
  const read = file === undefined ? { serving: unknownServing } : await readGatewayConfig(file, namedAt);
  if ('problems' in read) problems.push(...read.problems);
  const known = 'serving' in read ? read.serving : unknownServing;
  return { serving: { ...known, stepLatencyMs: given ?? environment?.stepLatency }, problems };
}

type ReadConfig = { readonly serving: Serving } | { readonly problems: readonly Finding[] };

/** Milliseconds, more than 0; `undefined` for what is no such time. */
export function parseStepLatency(text: string): number | undefined {
  const ms = parseDuration(text);
  return ms !== undefined && ms > 0 && ms <= longestDurationMs ? ms : undefined;
}

/** The rules of a configuration, read as the gateway reads them; or what is wrong with it. Variables of the environment
 *  that are not set here are no mistake where no rule needs them: a check does not run where the gateway does. */
async function readGatewayConfig(path: string, namedAt: Place | undefined): Promise<ReadConfig> {
  const file = userPath(path);
  const text = await readText(path);
  if (typeof text !== 'string') return { problems: [unreadable(file, text.reason, namedAt)] };
  const read = readYaml(text, file, 'gateway-config-unreadable');
  if ('problems' in read) return read;
  const { yaml } = read;
  const { expanded, problems: unset } = expandEnvironment(yaml.toJS() ?? {}, process.env);
  const options =
    isSection(expanded) && expanded.supergraph === undefined
      ? { ...expanded, supergraph: { file: 'checked' } }
      : expanded;
  const names = new Set(unset.map((one) => one.path));
  const wrong = [
    ...listProblems(options).filter((one) => !names.has(one.path)),
    ...unset.filter((one) => isOfRules(one.path)),
  ];
  if (wrong.length > 0) return { problems: wrong.map((one) => invalid(one, yaml)) };
  return { serving: servingOf(options, yaml) };
}

function isOfRules(path: string): boolean {
  return /^(cache\.(enabled|rules)|enrichment)\b/.test(path);
}

/** Of a configuration in which nothing is wrong but for variables that are not set, none of which is in these parts. */
function servingOf(options: unknown, yaml: YamlFile): Serving {
  const sections = sectionOf(options);
  const { enabled, rules } = sectionOf(sections.cache);
  const { cache, enrichment } = parseConfig({
    supergraph: { file: 'checked' },
    cache: { enabled, rules },
    enrichment: sections.enrichment,
  });
  return {
    cache: { enabled: cache.enabled, rules: cache.rules },
    enrichments: { fields: enrichment.fields, budget: enrichment.budget },
    waitsForAll: enrichment.mode === 'never' || enrichment.shadow,
    placeOf: (section, key) => yaml.placeAtPath([...section.split('.'), key]),
  };
}

async function readText(path: string): Promise<string | { readonly reason: string }> {
  try {
    return decodeText(await readFile(path)) ?? { reason: 'is not UTF-8' };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return { reason: code === 'ENOENT' ? 'does not exist' : `cannot be read (${code})` };
  }
}

function unreadable(file: string, reason: string, namedAt: Place | undefined): Finding {
  return problem({
    rule: 'gateway-config-unreadable',
    message: `${file} ${reason}.`,
    advice:
      namedAt === undefined
        ? 'Name the configuration of the gateways with --gateway-config FILE.'
        : "Correct `gatewayConfig` of the environment: it is a path from the store's directory.",
    place: namedAt ?? { file, line: 1, column: 1 },
  });
}

function invalid({ path, message, expected }: ConfigProblem, yaml: YamlFile): Finding {
  return problem({
    rule: 'gateway-config-invalid',
    message: `A gateway does not take this configuration: ${path === '' ? 'it' : path} ${message}.`,
    advice: expected === '' ? 'Correct it as the message says.' : `Expected: ${expected}.`,
    place: yaml.placeAtPath(partsOf(path)),
  });
}

/** `cache.rules["Product.stock"].maxAge` in its parts. */
function partsOf(path: string): readonly string[] {
  return Array.from(
    path.matchAll(/\["((?:[^"\\]|\\.)*)"\]|\[(\d+)\]|([\w-]+)/g),
    ([, quoted, index, word]) =>
      (quoted === undefined ? (index ?? word) : JSON.parse(`"${quoted}"`)) as string,
  );
}

function noStepLatency(text: string): Finding {
  return problem({
    rule: 'argument-invalid',
    message: `--step-latency is "${text}", which is no time longer than 0.`,
    advice: 'Write --step-latency 40ms: how long one fetch of a plan takes.',
  });
}
