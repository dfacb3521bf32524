import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
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

async function readUsable(files: CertificateFiles): Promise<Usable | CertificateFileError> {
  try {
    const contents = await readTexts(files);
    const own = parseCertificates('cert', files, contents);
    const authorities = parseCertificates('ca', files, contents);
    checkKey(files, contents, own[0]);
    return {
      contents,
      certificates: [
        ...own.map((certificate) => ({ kind: 'cert' as const, certificate })),
        ...authorities.map((certificate) => ({ kind: 'ca' as const, certificate })),
      ],
    };
  } catch (error) {
    if (error instanceof CertificateFileError) return error;
    throw error;
  }
}

/** @throws {CertificateFileError} with every file that cannot be read. */
async function readTexts(files: CertificateFiles): Promise<CertificateContents> {
  const contents: { [Kind in CertificateFileKind]?: string } = {};
  const problems: CertificateFileProblem[] = [];
  for (const kind of kinds) {
    const file = files[kind];
    if (!file) continue;
    try {
      contents[kind] = await readFile(file, 'utf8');
    } catch (error) {
      problems.push(...problemOf(kind, file, describeReadError(error)).problems);
    }
  }
  if (problems.length > 0) throw new CertificateFileError(problems);
  return contents;
}

const certificateBlock = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

function parseCertificates(
  kind: 'cert' | 'ca',
  files: CertificateFiles,
  contents: CertificateContents,
): X509Certificate[] {
  const text = contents[kind];
  if (text === undefined) return [];
  const file = files[kind] ?? '';
  const blocks = text.match(certificateBlock);
  if (blocks === null)
    throw problemOf(kind, file, 'has no certificate in PEM form (-----BEGIN CERTIFICATE-----)');
  return blocks.map((block, index) => {
    try {
      return new X509Certificate(block);
    } catch {
      throw problemOf(kind, file, `has an invalid certificate (number ${index + 1} in the file)`);
    }
  });
}

function checkKey(
  files: CertificateFiles,
  { cert, key }: CertificateContents,
  certificate: X509Certificate | undefined,
): void {
  if (key === undefined && cert === undefined) return;
  if (key === undefined) throw problemOf('cert', files.cert ?? '', 'has no key: the option `key` is missing');
  const file = files.key ?? '';
  if (certificate === undefined)
    throw problemOf('key', file, 'has no certificate: the option `cert` is missing');
  if (certificate.checkPrivateKey(parseKey(file, key))) return;
  throw problemOf('key', file, `does not match the first certificate in ${files.cert}`);
}

function parseKey(file: string, key: string): KeyObject {
  if (!key.includes('-----BEGIN '))
    throw problemOf('key', file, 'has no private key in PEM form (-----BEGIN PRIVATE KEY-----)');
  if (key.includes('ENCRYPTED'))
    throw problemOf('key', file, 'is protected by a passphrase: store the key without one');
  try {
    return createPrivateKey(key);
  } catch {
    throw problemOf('key', file, 'has an invalid private key');
  }
}

function problemOf(kind: CertificateFileKind, file: string, problem: string): CertificateFileError {
  return new CertificateFileError([{ kind, message: `The ${titles[kind]} ${file} ${problem}.` }]);
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
