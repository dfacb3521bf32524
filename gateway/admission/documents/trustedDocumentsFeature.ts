import { NoSchemaIntrospectionCustomRule, parse, specifiedRules, validate } from 'graphql';
import { ConfigError } from '../../config/configError.ts';
import type { GatewayConfig } from '../../config/schema.ts';
import { describeReadError } from '../../files/describeReadError.ts';
import { FileWatcher } from '../../files/fileWatcher.ts';
import { readTextFile } from '../../files/readTextFile.ts';
import type { Supergraph } from '../../supergraph/supergraph.ts';
import type { Logger } from '../../telemetry/logger.ts';
import { resolveInSlices, runInSlices, type SlicedTask } from '../../time/slicedTask.ts';
import type { Timers } from '../../time/timers.ts';
import { withTimeout } from '../../time/withTimeout.ts';
import { createTextLimitCheck } from '../limitChecks.ts';
import { gatewayValidationRules } from '../validationRules.ts';
import {
  type DocumentManifest,
  type ManifestFile,
  type ManifestProblem,
  readManifests,
  type TrustedDocument,
} from './documentManifest.ts';
import { TrustedDocuments } from './trustedDocuments.ts';

interface TrustedDocumentsOptions {
  readonly config: GatewayConfig;
  readonly log: Pick<Logger, 'debug' | 'info' | 'warn' | 'error'>;
  readonly timers: Timers;
}

/** Loads the trusted documents of the configuration; `undefined` if the option is off.
 *  @throws {ConfigError} if a manifest cannot be used. */
export async function loadTrustedDocuments(
  options: TrustedDocumentsOptions,
): Promise<TrustedDocumentsFeature | undefined> {
  const { mode, manifest: paths } = options.config.security.trustedDocuments;
  if (mode === 'off') return undefined;
  const result = await resolveInSlices(readManifests(await readFiles(paths)));
  if (!('manifest' in result)) throw new ConfigError(toConfigProblems(result.problems));
  return new TrustedDocumentsFeature(options, mode, result.manifest);
}

/** Keeps the trusted documents up to date with their files, and reports those that the current supergraph refuses. */
export class TrustedDocumentsFeature {
  readonly documents: TrustedDocuments;
  readonly #options: TrustedDocumentsOptions;
  readonly #watcher: FileWatcher;
  #supergraph: Supergraph | undefined;
  /** The content of the files that was read last, or the problem with it. */
  #lastRead: string | undefined;
  #cancelValidation: (() => void) | undefined;
  /** Resolves when the last validation has ended. */
  #validated = Promise.resolve();

  constructor(options: TrustedDocumentsOptions, mode: 'prefer' | 'require', manifest: DocumentManifest) {
    this.#options = options;
    this.documents = new TrustedDocuments(mode, manifest);
    this.#watcher = new FileWatcher({
      files: options.config.security.trustedDocuments.manifest,
      read: () => this.#reload(),
      timers: options.timers,
    });
  }

  onSupergraph(supergraph: Supergraph): void {
    this.#supergraph = supergraph;
    this.#validate();
  }

  /** Starts to watch the files. */
  onListening(): void {
    void this.#watcher.start();
  }

  /** Lets the validation end, which may be all that a gateway was started for (`tributary config check`). */
  async stop(withinMs: number): Promise<void> {
    const validated = withTimeout(withinMs, this.#validated, this.#options.timers);
    await Promise.all([this.#watcher.stop(), validated]);
    this.#cancelValidation?.();
  }

  /** Returns false when a file could not be read. */
  async #reload(): Promise<boolean> {
    const files = await readFiles(this.#options.config.security.trustedDocuments.manifest);
    const read = JSON.stringify(files);
    if (read !== this.#lastRead) {
      this.#lastRead = read;
      await this.#use(files);
    }
    return files.every(({ readProblem }) => readProblem === undefined);
  }

  async #use(files: readonly ManifestFile[]): Promise<void> {
    const { log } = this.#options;
    const result = await resolveInSlices(readManifests(files));
    if (!('manifest' in result)) {
      log.error(
        { problems: describe(result.problems) },
        'The manifest of trusted documents cannot be used, so that the previous one stays in use',
      );
      return;
    }
    if (areEqual(result.manifest, this.documents.manifest)) return;
    this.documents.replace(result.manifest);
    log.info(
      { documents: result.manifest.documents.length },
      'The manifest of trusted documents has changed',
    );
    this.#validate();
  }

  #validate(): void {
    this.#cancelValidation?.();
    if (this.#supergraph === undefined) return;
    const { log } = this.#options;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#validated = promise;
    const cancelTask = runInSlices(
      this.#reportInvalid(this.#supergraph, this.documents.manifest.documents),
      resolve,
      (err) => {
        log.error({ err }, 'Validating the trusted documents failed');
        resolve();
      },
    );
    const cancel = () => {
      cancelTask();
      resolve();
    };
    this.#cancelValidation = cancel;
  }

  *#reportInvalid(supergraph: Supergraph, documents: readonly TrustedDocument[]): SlicedTask {
    const { config, log } = this.#options;
    const checkText = createTextLimitCheck({ limits: config.limits, textCacheSize: 1 });
    const rules = [
      ...specifiedRules,
      ...(config.security.introspection ? [] : [NoSchemaIntrospectionCustomRule]),
      ...gatewayValidationRules,
    ];
    const reports = new Map<string, ProblemReport>();
    let invalid = 0;
    for (const { id, name, text, file } of documents) {
      yield;
      const problems = problemsOf(supergraph, text, rules, checkText);
      if (problems.length === 0) continue;
      invalid += 1;
      const document = { document: id, operation: name, file };
      log.debug({ ...document, problems, supergraph: supergraph.id }, 'A trusted document is invalid');
      for (const problem of new Set(problems)) {
        const report = reports.get(problem);
        if (report === undefined) reports.set(problem, { problem, documents: 1, first: document });
        else report.documents += 1;
      }
    }
    if (invalid === 0) return;
    log.warn(
      {
        invalid,
        documents: documents.length,
        problems: [...reports.values()]
          .sort((a, b) => b.documents - a.documents)
          .slice(0, maxReportedProblems),
        supergraph: supergraph.id,
      },
      'Trusted documents are invalid, so that requests for them are refused',
    );
  }
}

/** A problem that documents have in common. */
interface ProblemReport {
  readonly problem: string;
  /** How many have it. */
  documents: number;
  readonly first: Pick<TrustedDocument, 'file'> & { document: string; operation: string | undefined };
}

function problemsOf(
  { apiSchema }: Supergraph,
  text: string,
  rules: typeof specifiedRules,
  checkText: (text: string) => void,
): readonly string[] {
  try {
    checkText(text);
  } catch (error) {
    return [(error as Error).message];
  }
  return validate(apiSchema, parse(text), rules, { maxErrors: 5 }).map(({ message }) => message);
}

function readFiles(paths: readonly string[]): Promise<readonly ManifestFile[]> {
  return Promise.all(
    paths.map((path) =>
      readTextFile(path).then(
        (text) => ({ path, text }),
        (error: unknown) => ({ path, text: '', readProblem: describeReadError(error) }),
      ),
    ),
  );
}

function areEqual({ documents }: DocumentManifest, other: DocumentManifest): boolean {
  return JSON.stringify(documents) === JSON.stringify(other.documents);
}

/** Each of the documents may have a problem of its own. */
const maxReportedProblems = 20;

function describe(problems: readonly ManifestProblem[]): readonly string[] {
  const texts = problems
    .slice(0, maxReportedProblems)
    .map(({ file, problem, whatToDo }) => `${file} ${problem}. ${whatToDo}`);
  const more = problems.length - texts.length;
  return more > 0 ? [...texts, `${more} more problems`] : texts;
}

function toConfigProblems(problems: readonly ManifestProblem[]) {
  return describe(problems).map((text) => ({
    path: 'security.trustedDocuments.manifest',
    message: `cannot be used: ${text}`,
    expected: '',
  }));
}
