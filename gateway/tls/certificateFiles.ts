import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';
import { messageOf } from '../errors.ts';
import { describeReadError } from '../files/describeReadError.ts';
import { FileWatcher } from '../files/fileWatcher.ts';
import { type CancelTimer, systemTimers, type Timers } from '../time/timers.ts';

type CertificateFileKind = 'cert' | 'key' | 'ca';

/** Paths of PEM files. An omitted or empty path is no file. */
export type CertificateFiles = { readonly [Kind in CertificateFileKind]?: string | undefined };

/** The PEM texts of the files, for the options of the same names in `node:tls`. Omitted files have no key. */
export type CertificateContents = { readonly [Kind in CertificateFileKind]?: string };

interface CertificateFileProblem {
  readonly kind: CertificateFileKind;
  /** Names the file and contains nothing of its content. */
  readonly message: string;
}

/** Files that cannot be used: which ones, and why. */
export class CertificateFileError extends Error {
  override readonly name = 'CertificateFileError';
  readonly problems: readonly CertificateFileProblem[];

  constructor(problems: readonly CertificateFileProblem[]) {
    super(problems.map(({ message }) => message).join(' '));
    this.problems = problems;
  }
}

interface CertificateFilesListener {
  /** The files have changed, and fit together. */
  onChange(contents: CertificateContents): void;
  /** The files have changed, and cannot be used. The contents from before remain valid. Equal errors are reported once. */
  onError(error: CertificateFileError): void;
  /** The contents are used, although a certificate has expired, is not valid yet or expires within a week. Equal warnings
   *  are reported once. */
  onWarning?(message: string): void;
  /** Whether changes of the files are ignored. */
  readonly isReadOnce?: boolean | undefined;
  readonly timers?: Timers | undefined;
  /** See `FileWatcher`. */
  readonly settleMs?: number | undefined;
  /** Milliseconds since 1970; `Date.now` when omitted. */
  readonly now?: (() => number) | undefined;
}

export interface WatchedCertificateFiles {
  /** When the first certificate of `cert` expires, and the last one of `ca`, in milliseconds since 1970. */
  expirations(): ReadonlyMap<'cert' | 'ca', number>;
  /** Reads the files and starts watching them. Must be called once.
   *  @throws {CertificateFileError} The files are watched all the same, until `close`. */
  read(): Promise<CertificateContents>;
  /** Stops watching. No listener is called afterwards. */
  close(): Promise<void>;
}

/** How often the validity periods are checked while the files do not change. */
const validityCheckIntervalMs = 3_600_000;

/** How long before its end a certificate has a warning. */
const warningPeriodMs = 7 * 24 * 3_600_000;

/** Reads the files of a certificate with its key, and of trusted certificate authorities, and reads them again when they
 *  change. A certificate and a key that are replaced one after the other are used when they match. */
export function watchCertificateFiles(
  files: CertificateFiles,
  listener: CertificateFilesListener,
): WatchedCertificateFiles {
  const { timers = systemTimers, settleMs, now = Date.now, isReadOnce = false } = listener;
  let isClosed = false;
  let isFirst = true;
  let current: Usable | CertificateFileError | undefined;
  let used: Usable | undefined;
  let lastWarning: string | undefined;
  let cancelCheck: CancelTimer | undefined;

  const checkValidity = (usable: Usable): void => {
    cancelCheck?.();
    const warning = findValidityProblem(files, usable, now());
    if (warning !== undefined && warning !== lastWarning) listener.onWarning?.(warning);
    lastWarning = warning;
    cancelCheck = timers.after(validityCheckIntervalMs, () => checkValidity(usable));
  };

  const readOnce = async (): Promise<boolean> => {
    const previous = current;
    const result = await readUsable(files);
    if (isClosed) return true;
    current = result;
    if (result instanceof CertificateFileError) {
      const isKnown = previous instanceof CertificateFileError && previous.message === result.message;
      if (!isFirst && !isKnown) listener.onError(result);
      return false;
    }
    used = result;
    checkValidity(result);
    if (!isFirst && !hasEqualContents(previous, result)) listener.onChange(result.contents);
    return true;
  };

  const watched = isReadOnce ? [] : kinds.flatMap((kind) => files[kind] || []);
  const watcher = new FileWatcher({ files: watched, read: readOnce, timers, settleMs });
  return {
    expirations: () =>
      new Map(
        used === undefined
          ? []
          : decisiveCertificates(used, now()).map(({ kind, certificate }) => [
              kind,
              certificate.validToDate.getTime(),
            ]),
      ),
    read: async () => {
      await watcher.start();
      isFirst = false;
      if (current instanceof CertificateFileError) throw current;
      return current?.contents ?? {};
    },
    close: () => {
      isClosed = true;
      cancelCheck?.();
      return watcher.stop();
    },
  };
}

const kinds = ['cert', 'key', 'ca'] as const;

/** What each file is called in messages. */
const titles: Readonly<Record<CertificateFileKind, string>> = {
  cert: 'certificate file',
  key: 'key file',
  ca: 'file of certificate authorities',
};

/** Files that could be read and fit together. */
interface Usable {
  readonly contents: CertificateContents;
  readonly certificates: readonly { readonly kind: 'cert' | 'ca'; readonly certificate: X509Certificate }[];
}

function hasEqualContents(
  previous: Usable | CertificateFileError | undefined,
  { contents }: Usable,
): boolean {
  // After an error the contents count as changed: the listener has the error.
  if (previous === undefined || previous instanceof CertificateFileError) return false;
  return kinds.every((kind) => previous.contents[kind] === contents[kind]);
}

/** Finds every problem. */
async function readUsable(files: CertificateFiles): Promise<Usable | CertificateFileError> {
  const problems: CertificateFileProblem[] = [];
  const report: Report = (kind, problem) => {
    problems.push({ kind, message: `The ${titles[kind]} ${files[kind]} ${problem}.` });
  };
  const contents: { [Kind in CertificateFileKind]?: string } = {};
  for (const kind of kinds) {
    const file = files[kind];
    if (!file) continue;
    try {
      contents[kind] = await readFile(file, 'utf8');
    } catch (error) {
      report(kind, describeReadError(error));
    }
  }
  const certificates = (['cert', 'ca'] as const).flatMap((kind) =>
    parseCertificates(kind, contents[kind], report).map((certificate) => ({ kind, certificate })),
  );
  const key = parseKey(contents.key, report);
  if (files.cert && !files.key) report('cert', 'has no key: the option `key` is missing');
  if (files.key && !files.cert) report('key', 'has no certificate: the option `cert` is missing');
  const own = certificates.find(({ kind }) => kind === 'cert')?.certificate;
  if (problems.length === 0 && key !== undefined && own?.checkPrivateKey(key) === false)
    report('key', `does not match the first certificate in ${files.cert}`);
  if (problems.length === 0) checkSecureContext(contents, report);
  return problems.length > 0 ? new CertificateFileError(problems) : { contents, certificates };
}

/** `problem`: a predicate of the file. */
type Report = (kind: CertificateFileKind, problem: string) => void;

const certificateBlock = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

function parseCertificates(
  kind: 'cert' | 'ca',
  text: string | undefined,
  report: Report,
): readonly X509Certificate[] {
  if (text === undefined) return [];
  const blocks = text.match(certificateBlock);
  if (blocks === null) report(kind, 'has no certificate in PEM form (-----BEGIN CERTIFICATE-----)');
  return (blocks ?? []).flatMap((block, index) => {
    try {
      return new X509Certificate(block);
    } catch {
      report(kind, `has an invalid certificate (number ${index + 1} in the file)`);
      return [];
    }
  });
}

function parseKey(text: string | undefined, report: Report): KeyObject | undefined {
  if (text === undefined) return undefined;
  if (!text.includes('-----BEGIN ')) {
    report('key', 'has no private key in PEM form (-----BEGIN PRIVATE KEY-----)');
  } else if (text.includes('ENCRYPTED')) {
    report('key', 'is protected by a passphrase: store the key without one');
  } else {
    try {
      return createPrivateKey(text);
    } catch {
      report('key', 'has an invalid private key');
    }
  }
  return undefined;
}

/** Finds what only OpenSSL refuses, such as keys that are too short: creating a server or a connection would throw. */
function checkSecureContext(contents: CertificateContents, report: Report): void {
  try {
    // Without `ca`, Node would load its own authorities.
    createSecureContext({ ca: [], ...contents });
  } catch (error) {
    const reason = messageOf(error).replace(/^error:.*:/, '');
    const advice = /too (small|weak)/.test(reason)
      ? ': issue it again with a longer key, or with SHA-256'
      : '';
    report(contents.cert === undefined ? 'ca' : 'cert', `is refused by OpenSSL (${reason})${advice}`);
  }
}

type ReadCertificate = Usable['certificates'][number];

const endOf = ({ certificate }: ReadCertificate): number => certificate.validToDate.getTime();

/** For each file, the certificate whose end is that of the file: of a chain the first one to expire, and of authorities,
 *  among which expired ones are common, the last one. */
function decisiveCertificates({ certificates }: Usable, nowMs: number): readonly ReadCertificate[] {
  const byEnd = certificates.toSorted((one, other) => endOf(one) - endOf(other));
  const authorities = byEnd.filter(({ kind }) => kind === 'ca');
  const begun = authorities.filter(({ certificate }) => certificate.validFromDate.getTime() <= nowMs);
  const found = [byEnd.find(({ kind }) => kind === 'cert'), begun.at(-1) ?? authorities.at(-1)];
  return found.filter((one) => one !== undefined);
}

/** A certificate that is outside its validity period, or soon will be. It is used all the same: to refuse it would end
 *  connections that peers with a wrong clock, or without this check, still accept. */
function findValidityProblem(files: CertificateFiles, usable: Usable, nowMs: number): string | undefined {
  const own = usable.certificates.filter(({ kind }) => kind === 'cert');
  for (const { kind, certificate } of new Set([...decisiveCertificates(usable, nowMs), ...own])) {
    const { subject, validFromDate, validToDate } = certificate;
    const describe = (problem: string): string =>
      `The ${titles[kind]} ${files[kind]} has a certificate (${subject.replaceAll('\n', ', ')}) ${problem}.`;
    if (validToDate.getTime() < nowMs) return describe(`that expired on ${validToDate.toISOString()}`);
    if (validFromDate.getTime() > nowMs)
      return describe(`that is not valid before ${validFromDate.toISOString()}`);
    if (validToDate.getTime() < nowMs + warningPeriodMs)
      return describe(`that expires on ${validToDate.toISOString()}`);
  }
  return undefined;
}
