import { ConfigError, type ConfigProblem, formatConfigPath } from '../config/configError.ts';
import type { GatewayConfig } from '../config/schema.ts';
import { subgraphPolicyOf } from '../config/subgraphPolicyOf.ts';
import type { PluginLog } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Timers } from '../time/timers.ts';
import {
  type CertificateContents,
  CertificateFileError,
  type CertificateFiles,
  type WatchedCertificateFiles,
  watchCertificateFiles,
} from './certificateFiles.ts';
import { registerCertificateMetrics } from './certificateMetrics.ts';

/** The sections with certificates. A command needs only those of subgraphs. */
type CertificateConfig = Pick<GatewayConfig, 'subgraphs'> & Partial<Pick<GatewayConfig, 'listen' | 'redis'>>;

interface CertificateOptions {
  readonly log: Pick<PluginLog, 'info' | 'warn' | 'error'>;
  readonly timers?: Timers | undefined;
  /** Milliseconds since 1970. Default: `Date.now`. */
  readonly now?: (() => number) | undefined;
  /** See `FileWatcher`. */
  readonly settleMs?: number | undefined;
}

/** The files of one section of the configuration. */
interface CertificateSection {
  /** The path of the section. */
  readonly option: string;
  readonly files: CertificateFiles;
  /** The name of the option for the certificate, if it is not `cert`. */
  readonly certOption?: string;
  /** Whether connections use the files as they were at the start. */
  readonly isReadOnce?: boolean;
}

/** The certificates of the configuration: those of the listener, of connections to subgraphs and of Redis, which reads them
 *  itself. Files are read again when they change; then new connections use them. */
export class Certificates {
  readonly #config: CertificateConfig;
  readonly #watched: { readonly section: CertificateSection; readonly files: WatchedCertificateFiles }[] = [];
  /** By the path of the section. */
  readonly #contents = new Map<string, CertificateContents>();
  readonly #listeners: (() => void)[] = [];

  private constructor(config: CertificateConfig) {
    this.#config = config;
  }

  /** Reads all files. Without files, nothing is watched.
   *  @throws {ConfigError} with every file that cannot be used. */
  static async read(config: CertificateConfig, options: CertificateOptions): Promise<Certificates> {
    const certificates = new Certificates(config);
    const problems: ConfigProblem[] = [];
    for (const section of sectionsOf(config)) problems.push(...(await certificates.#read(section, options)));
    if (problems.length === 0) return certificates;
    await certificates.close();
    throw new ConfigError(problems);
  }

  /** The certificate of the listener, and the authorities of its clients; `undefined` without TLS. */
  ofListener(): CertificateContents | undefined {
    return this.#contents.get(listenSection);
  }

  /** The options of a TLS connection to a subgraph; `undefined` for Node's defaults. The same object until files change. */
  ofSubgraph(name: string): CertificateContents | undefined {
    return this.#contents.get(subgraphSection(isInherited(this.#config, name) ? 'all' : name));
  }

  /** `listener` is called when files have changed. */
  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  registerMetrics(registry: Metrics['registry']): void {
    registerCertificateMetrics(registry, () =>
      this.#watched.flatMap(({ section, files }) =>
        Array.from(files.expirations(), ([kind, ms]) => [optionOf(section, kind), ms] as const),
      ),
    );
  }

  async close(): Promise<void> {
    await Promise.all(this.#watched.map(({ files }) => files.close()));
  }

  async #read(
    section: CertificateSection,
    { log, timers, now, settleMs }: CertificateOptions,
  ): Promise<readonly ConfigProblem[]> {
    const { option, isReadOnce } = section;
    const files = watchCertificateFiles(section.files, {
      timers,
      now,
      settleMs,
      isReadOnce,
      onChange: (contents) => {
        this.#contents.set(option, contents);
        for (const listener of this.#listeners) listener();
        log.info({ option }, 'New connections use changed certificate files');
      },
      onError: ({ message }) =>
        log.error(
          { option, problem: message },
          'Changed certificate files cannot be used; the former ones are',
        ),
      onWarning: (problem) =>
        log.warn({ option, problem }, 'A certificate is not valid, or soon will not be'),
    });
    this.#watched.push({ section, files });
    try {
      this.#contents.set(option, await files.read());
      return [];
    } catch (error) {
      if (!(error instanceof CertificateFileError)) throw error;
      return error.problems.map(({ kind, message }) => ({
        path: optionOf(section, kind),
        message: `cannot be used: ${message.replace(/\.$/, '')}`,
        expected: '',
      }));
    }
  }
}

const listenSection = 'listen.tls';

function subgraphSection(name: string): string {
  return formatConfigPath(['subgraphs', name, 'tls']);
}

function optionOf({ option, certOption = 'cert' }: CertificateSection, kind: 'cert' | 'key' | 'ca'): string {
  return `${option}.${kind === 'cert' ? certOption : kind}`;
}

/** The sections with files. Subgraphs that inherit their files from `subgraphs.all` have none of their own. */
function sectionsOf(config: CertificateConfig): readonly CertificateSection[] {
  const { listen, subgraphs, redis } = config;
  const own = Object.keys(subgraphs).filter((name) => name === 'all' || !isInherited(config, name));
  const sections: CertificateSection[] = [
    { option: listenSection, files: listen?.tls ?? {} },
    ...own.map((name) => ({ option: subgraphSection(name), files: subgraphPolicyOf(config, name).tls })),
  ];
  if (redis?.tls.enabled || redis?.url.startsWith('rediss:')) {
    const { ca, certificate: cert, key } = redis.tls;
    sections.push({
      option: 'redis.tls',
      files: { cert, key, ca },
      certOption: 'certificate',
      isReadOnce: true,
    });
  }
  return sections.filter(({ files }) => Object.values(files).some((file) => file !== ''));
}

function isInherited(config: CertificateConfig, name: string): boolean {
  const own = subgraphPolicyOf(config, name).tls;
  const { all } = config.subgraphs;
  return own.cert === all.tls.cert && own.key === all.tls.key && own.ca === all.tls.ca;
}
