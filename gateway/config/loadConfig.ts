import { existsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { type ConfigDocument, readConfigDocument } from './configDocument.ts';
import { ConfigError } from './configError.ts';
import { type Environment, expandReferences, referenceValues } from './expandReferences.ts';
import { isSection, type Section, sectionOf } from './isSection.ts';
import { findConfigProblems, parseConfig, parseSections } from './parseConfig.ts';
import type { GatewayConfig } from './schema.ts';

/** Command line options, which override the file. */
export interface ConfigOverrides {
  /** Path of a supergraph file, relative to the working directory. Replaces the whole section `supergraph`. */
  readonly supergraph?: string | undefined;
  readonly host?: string | undefined;
  readonly port?: string | undefined;
  readonly adminPort?: string | undefined;
  readonly workers?: string | undefined;
}

export interface LoadConfigOptions {
  /** Path of the configuration file. Defaults to `tributary.yaml`, if it exists. */
  readonly file?: string | undefined;
  /** Omitted by a command that cannot override the supergraph. */
  readonly overrides?: ConfigOverrides;
  /** Options that apply where the file has none. */
  readonly defaults?: Section;
  /** The sections that a command uses which may run elsewhere than the gateway, such as in CI. In other sections, references
   *  without a value are no problem, and if there are some, those sections have their defaults. Omitted: all. */
  readonly sections?: readonly (keyof GatewayConfig)[];
  /** The subgraphs that a command uses: without the options of the others, whose references may have no value here.
   *  Omitted: all. */
  readonly subgraphs?: ReadonlySet<string> | undefined;
  readonly env: Environment;
}

export const defaultConfigFile = 'tributary.yaml';

/** The given file, or the default one if it exists. */
export function findConfigFile(file: string | undefined): string | undefined {
  return file ?? (existsSync(defaultConfigFile) ? defaultConfigFile : undefined);
}

/** Loads the configuration. Overrides take precedence over the file, and the file over the defaults.
 *  @throws {ConfigError} with all problems, or when there is neither a file nor a supergraph. */
export function loadConfig(options: LoadConfigOptions): GatewayConfig {
  return loadConfigWithSources(options).config;
}

/** The configuration, and where its options are from.
 *  @throws {ConfigError} like `loadConfig`. */
export function loadConfigWithSources({
  file,
  overrides,
  defaults = {},
  sections,
  subgraphs,
  env,
}: LoadConfigOptions): {
  readonly config: GatewayConfig;
  /** Paths of the options that have the text of a file, which may be secret. */
  readonly textsFromFiles: ReadonlySet<string>;
  /** See `ConfigDocument`; `undefined` for options of the command line. */
  readonly locate: ConfigDocument['locate'];
} {
  const path = findConfigFile(file);
  if (path === undefined && overrides?.supergraph === undefined) throw missingFileError(overrides);
  const { document, locate: locateInFile } = path === undefined ? noDocument : readConfigDocument(path);
  const {
    expanded,
    problems: unexpanded,
    ...context
  } = expandReferences(
    subgraphs === undefined ? document : withoutOthers(document, subgraphs),
    referenceValues(env, dirname(path ?? '')),
  );
  const overridden = overriddenValues(overrides ?? {});
  const isOverridden = (option: string): boolean => overridden.keys().some(isSectionOf(option));
  const isNotOverridden = (option: string): boolean => !isOverridden(option);
  const locate = (option: string) => (isOverridden(option) ? undefined : locateInFile(option));
  const unset = unexpanded.filter(({ path: option }) => isNotOverridden(option));
  const textsFromFiles = new Set([...context.textsFromFiles].filter(isNotOverridden));
  const options = applyOverrides(applyDefaults(resolveRelativePaths(expanded, path), defaults), overridden);
  try {
    if (unset.length === 0) return { config: parseConfig(options, context), textsFromFiles, locate };
    const unsetPaths = new Set(unset.map((problem) => problem.path));
    const problems = [
      ...unset.filter((problem) => sections === undefined || sections.some(isSectionOf(problem.path))),
      ...findConfigProblems(options, context).filter((problem) => !unsetPaths.has(problem.path)),
    ];
    if (sections === undefined || problems.length > 0) throw new ConfigError(problems);
    return { config: parseSections(options, sections), textsFromFiles, locate };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new ConfigError(error.problems.map((problem) => ({ ...problem, location: locate(problem.path) })));
  }
}

/** Adds the lines of the configuration file to the problems that a start finds, such as those of the files that it names.
 *  `file`: as for `loadConfig`.
 *  @throws the error, always. */
export function rethrowWithLines(error: unknown, file: string | undefined): never {
  const path = findConfigFile(file);
  if (!(error instanceof ConfigError) || path === undefined) throw error;
  let locate: ConfigDocument['locate'];
  try {
    ({ locate } = readConfigDocument(path));
  } catch {
    // The file has changed since the gateway read it.
    throw error;
  }
  throw new ConfigError(error.problems.map((problem) => ({ ...problem, location: locate(problem.path) })));
}

/** The document without the options of other subgraphs. In the list, which has their order, their names remain. */
function withoutOthers(document: unknown, used: ReadonlySet<string>): unknown {
  const { supergraph, subgraphs } = sectionOf(document);
  let result = document;
  if (isSection(subgraphs)) {
    const own = Object.entries(subgraphs).filter(([name]) => name === 'all' || used.has(name));
    result = { ...sectionOf(result), subgraphs: Object.fromEntries(own) };
  }
  const { subgraphs: composed } = sectionOf(supergraph);
  if (!Array.isArray(composed)) return result;
  const entries = composed.map((entry: unknown) => {
    const { name } = sectionOf(entry);
    return typeof name !== 'string' || used.has(name) ? entry : { name, url: 'http://unused.invalid/' };
  });
  return mergeIntoSection(result, 'supergraph', { subgraphs: entries });
}

function isSectionOf(option: string): (section: string) => boolean {
  return (section) => option === section || option.startsWith(`${section}.`);
}

function missingFileError(overrides: ConfigOverrides | undefined): ConfigError {
  const options = overrides === undefined ? '--config' : '--config or --supergraph';
  return new ConfigError(
    [{ path: 'supergraph', message: 'is missing', expected: `a file ${defaultConfigFile}` }],
    `There is no ${defaultConfigFile} in ${process.cwd()}. Name a file with ${options}, or create one with \`tributary init\`.`,
  );
}

const noDocument: ConfigDocument = { document: {}, locate: () => undefined };

/** Resolves relative paths in the configuration against the directory of the configuration file. */
function resolveRelativePaths(options: unknown, configPath: string | undefined): unknown {
  if (configPath === undefined) return options;
  const resolveKeys = (section: unknown, keys: readonly string[]) =>
    Object.fromEntries(
      Object.entries(sectionOf(section)).flatMap(([key, file]) =>
        keys.includes(key) && typeof file === 'string' && file.trim() !== ''
          ? [[key, resolve(dirname(configPath), file)]]
          : [],
      ),
    );
  const resolveTls = (section: unknown, keys: readonly string[]) => {
    const { tls } = sectionOf(section);
    return isSection(tls) ? { tls: { ...tls, ...resolveKeys(tls, keys) } } : {};
  };
  const { listen, supergraph, redis, security, subgraphs, extensions } = sectionOf(options);
  let result = options;
  const { trustedDocuments } = sectionOf(security);
  if (isSection(trustedDocuments)) {
    const manifest = resolvePaths(trustedDocuments.manifest, dirname(configPath));
    result = mergeIntoSection(result, 'security', { trustedDocuments: { ...trustedDocuments, manifest } });
  }
  if (Array.isArray(extensions)) {
    const resolved = extensions.map((entry: unknown) => {
      const { module } = sectionOf(entry);
      // Other names are those of packages.
      const isRelative = typeof module === 'string' && /^\.{1,2}\//.test(module);
      return isRelative ? { ...sectionOf(entry), ...resolveKeys(entry, ['module']) } : entry;
    });
    result = { ...sectionOf(result), extensions: resolved };
  }
  if (isSection(supergraph))
    result = mergeIntoSection(result, 'supergraph', resolveKeys(supergraph, ['file']));
  if (isSection(listen))
    result = mergeIntoSection(result, 'listen', resolveTls(listen, ['ca', 'cert', 'key']));
  if (isSection(redis))
    result = mergeIntoSection(result, 'redis', resolveTls(redis, ['ca', 'certificate', 'key']));
  if (!isSection(subgraphs)) return result;
  const resolved = Object.entries(subgraphs).flatMap(([name, section]) =>
    isSection(section) ? [[name, { ...section, ...resolveTls(section, ['ca', 'cert', 'key']) }]] : [],
  );
  return mergeIntoSection(result, 'subgraphs', Object.fromEntries(resolved));
}

/** Resolves one path or a list of them. Other values remain, so that the schema reports them. */
function resolvePaths(paths: unknown, directory: string): unknown {
  if (Array.isArray(paths)) return paths.map((path) => resolvePaths(path, directory));
  return typeof paths === 'string' && paths.trim() !== '' ? resolve(directory, paths) : paths;
}

// A document or section of the wrong type is not changed, so that the schema reports it.
function applyDefaults(options: unknown, defaults: Section): unknown {
  if (!isSection(options)) return options;
  const applied = Object.entries(defaults).map(([key, value]) => {
    const own = options[key] === undefined && isSection(value) ? {} : options[key];
    return [key, isSection(value) ? applyDefaults(own, value) : (own ?? value)];
  });
  return { ...options, ...Object.fromEntries(applied) };
}

/** The values of the command line, by the paths of their options. */
function overriddenValues(overrides: ConfigOverrides): ReadonlyMap<string, unknown> {
  const { supergraph, host, port, adminPort, workers } = overrides;
  const values = {
    supergraph: supergraph === undefined ? undefined : { file: resolve(supergraph) },
    'listen.host': host,
    'listen.port': port,
    'admin.port': adminPort,
    workers,
  };
  return new Map(Object.entries(values).filter(([, value]) => value !== undefined));
}

function applyOverrides(options: unknown, overridden: ReadonlyMap<string, unknown>): unknown {
  let result = options;
  for (const [path, value] of overridden) {
    const [section = '', key] = path.split('.');
    if (key !== undefined) result = mergeIntoSection(result, section, { [key]: value });
    else if (isSection(result)) result = { ...result, [section]: value };
  }
  return result;
}

// A document or section of the wrong type is not changed, so that the schema reports it.
function mergeIntoSection(options: unknown, name: string, keys: Readonly<Record<string, unknown>>): unknown {
  if (!isSection(options)) return options;
  const section = options[name] ?? {};
  return isSection(section) ? { ...options, [name]: { ...section, ...keys } } : options;
}
