import { ConfigError, type ConfigProblem, formatConfigPath } from '../config/configError.ts';
import type { GatewayConfig } from '../config/schema.ts';
import { subgraphPolicyOf } from '../config/subgraphPolicyOf.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Timers } from '../time/timers.ts';
import {
  CertificateFileError,
  type CertificateFiles,
  type WatchedCertificateFiles,
  watchCertificateFiles,
} from './certificateFiles.ts';
import { registerCertificateMetrics } from './certificateMetrics.ts';

interface MonitorOptions {
  readonly log: Pick<Logger, 'warn'>;
  readonly timers?: Timers | undefined;
  /** Milliseconds since 1970. Default: `Date.now`. */
  readonly now?: (() => number) | undefined;
}

/** The files of one section of the configuration. */
interface CertificateSection {
  readonly path: readonly string[];
  readonly files: CertificateFiles;
  /** The name of the option for a kind of file, if it is another one. */
  readonly options?: { readonly cert?: string };
  /** Whether connections use the files as they were at the start. */
  readonly isReadOnce?: boolean;
}

/** Watches when the certificates of the configuration expire: those of the listener, of connections to subgraphs and of
 *  Redis. Their users read the files for themselves. */
export class CertificateMonitor {
  readonly #watched: { readonly section: CertificateSection; readonly files: WatchedCertificateFiles }[] = [];

  /** Reads all files.
   *  @throws {ConfigError} with every file that cannot be used. */
  static async start(config: GatewayConfig, options: MonitorOptions): Promise<CertificateMonitor> {
    const monitor = new CertificateMonitor();
    const problems: ConfigProblem[] = [];
    for (const section of sectionsOf(config)) problems.push(...(await monitor.#watch(section, options)));
    if (problems.length === 0) return monitor;
    await monitor.close();
    throw new ConfigError(problems);
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

  async #watch(section: CertificateSection, options: MonitorOptions): Promise<readonly ConfigProblem[]> {
    const { log, timers, now } = options;
    const files = watchCertificateFiles(section.files, {
      timers,
      now,
      isReadOnce: section.isReadOnce,
      onChange: () => {},
      // Their users report them.
      onError: () => {},
      onWarning: (problem) =>
        log.warn(
          { option: formatConfigPath(section.path), problem },
          'A certificate is not valid, or soon will not be',
        ),
    });
    this.#watched.push({ section, files });
    try {
      await files.read();
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

function optionOf({ path, options = {} }: CertificateSection, kind: 'cert' | 'key' | 'ca'): string {
  return formatConfigPath([...path, (kind === 'cert' ? options.cert : undefined) ?? kind]);
}

/** The sections with files. Subgraphs that inherit their files from `subgraphs.all` have none of their own. */
function sectionsOf(config: GatewayConfig): readonly CertificateSection[] {
  const { listen, subgraphs, redis } = config;
  const usesRedisTls = redis.tls.enabled || redis.url.startsWith('rediss:');
  const { ca, certificate, key } = redis.tls;
  const ofAll = subgraphPolicyOf(config, 'all').tls;
  const isInherited = (files: CertificateFiles): boolean =>
    files.cert === ofAll.cert && files.key === ofAll.key && files.ca === ofAll.ca;
  const ofSubgraphs = Object.keys(subgraphs).flatMap((name): CertificateSection[] => {
    const files = subgraphPolicyOf(config, name).tls;
    return name !== 'all' && isInherited(files) ? [] : [{ path: ['subgraphs', name, 'tls'], files }];
  });
  const sections: CertificateSection[] = [
    { path: ['listen', 'tls'], files: listen.tls },
    ...ofSubgraphs,
    {
      path: ['redis', 'tls'],
      files: usesRedisTls ? { cert: certificate, key, ca } : {},
      options: { cert: 'certificate' },
      isReadOnce: true,
    },
  ];
  return sections.filter(({ files }) => Object.values(files).some((file) => file !== ''));
}
