import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestCertificate } from './createCertificate.ts';

interface TemporaryCertificates extends AsyncDisposable {
  readonly directory: string;
  /** The paths, for `listen.tls`. */
  readonly files: { readonly cert: string; readonly key: string };
  /** Writes the file of certificate authorities; returns its path. */
  writeAuthority(authority: TestCertificate): Promise<string>;
  /** Replaces certificate and key, one after the other. */
  replace(certificate: TestCertificate): Promise<void>;
}

/** Writes a certificate and its key to a temporary directory. */
export async function writeCertificate(certificate: TestCertificate): Promise<TemporaryCertificates> {
  const directory = await mkdtemp(join(tmpdir(), 'tributary-listener-'));
  const files = { cert: join(directory, 'cert.pem'), key: join(directory, 'key.pem') };
  const write = async (path: string, text: string): Promise<void> => {
    await writeFile(`${path}.new`, text);
    await rename(`${path}.new`, path);
  };
  const replace = async ({ cert, key }: TestCertificate): Promise<void> => {
    await write(files.cert, cert);
    await write(files.key, key);
  };
  await replace(certificate);
  return {
    directory,
    files,
    replace,
    writeAuthority: async ({ cert }) => {
      const path = join(directory, 'ca.pem');
      await write(path, cert);
      return path;
    },
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }),
  };
}
