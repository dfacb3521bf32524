import { ConfigError, type ConfigProblem, formatConfigPath } from '../config/configError.ts';
import type { GatewayConfig } from '../config/schema.ts';
import { subgraphPolicyOf } from '../config/subgraphPolicyOf.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Timers } from '../time/timers.ts';
import {
  type CertificateContents,
  CertificateFileError,
  type CertificateFiles,
  type WatchedCertificateFiles,
  watchCertificateFiles,
} from '../tls/certificateFiles.ts';

interface CertificateOptions {
  readonly log: Pick<Logger, 'info' | 'error'>;
  readonly timers?: Timers | undefined;
  /** See `FileWatcher`. */
  readonly settleMs?: number | undefined;
}

/** The certificates and authorities for connections to subgraphs (`subgraphs.*.tls`). Files are read again when they change;
 *  then new connections use them. */
export class SubgraphCertificates {
  readonly #config: GatewayConfig;
  readonly #watched: WatchedCertificateFiles[] = [];
  /** By the section that names the files: `all`, or a subgraph. */
  readonly #contents = new Map<string, CertificateContents>();
  readonly #listeners: (() => void)[] = [];

  private constructor(config: GatewayConfig) {
    this.#config = config;
  }

  /** Reads all files. Without files, nothing is watched.
   *  @throws {ConfigError} with every file that cannot be used. */
  static async read(config: GatewayConfig, options: CertificateOptions): Promise<SubgraphCertificates> {
    const certificates = new SubgraphCertificates(config);
    const problems = await Promise.all(
      Object.keys(config.subgraphs).map((section) => certificates.#read(section, options)),
    );
    const found = problems.flat();
    if (found.length === 0) return certificates;
    await certificates.close();
    throw new ConfigError(found);
  }

  /** The options of a TLS connection to a subgraph; `undefined` for Node's defaults. The same object until files change. */
  tlsOf(subgraph: string): CertificateContents | undefined {
    return this.#contents.get(Object.hasOwn(this.#config.subgraphs, subgraph) ? subgraph : 'all');
  }

  /** `listener` is called when files have changed. */
  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  async close(): Promise<void> {
    await Promise.all(this.#watched.map((files) => files.close()));
  }

  async #read(
    section: string,
    { log, timers, settleMs }: CertificateOptions,
  ): Promise<readonly ConfigProblem[]> {
    const files: CertificateFiles = subgraphPolicyOf(this.#config, section).tls;
    if (Object.values(files).every((file) => file === '')) return [];
    const subgraph = section === 'all' ? undefined : section;
    const watched = watchCertificateFiles(files, {
      timers,
      settleMs,
      onChange: (contents) => {
        this.#contents.set(section, contents);
        for (const listener of this.#listeners) listener();
        log.info({ subgraph }, 'New connections to subgraphs use changed certificate files');
      },
      onError: ({ message }) =>
        log.error(
          { subgraph, problem: message },
          'Changed certificate files cannot be used; the former ones are',
        ),
    });
    this.#watched.push(watched);
    try {
      this.#contents.set(section, await watched.read());
      return [];
    } catch (error) {
      if (!(error instanceof CertificateFileError)) throw error;
      return error.problems.map(({ kind, message }) => {
        const path = formatConfigPath(['subgraphs', section, 'tls', kind]);
        return { path, message: `cannot be used: ${message}`, expected: '' };
      });
    }
  }
}
