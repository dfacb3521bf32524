import { rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import {
  CertificateFileError,
  type CertificateFiles,
  type WatchedCertificateFiles,
  watchCertificateFiles,
} from '../../../gateway/tls/certificateFiles.ts';
import { createCertificate } from '../../harness/createCertificate.ts';
import { FakeTimers } from '../../harness/fakeTimers.ts';
import { createTemporaryDirectory } from '../../harness/suiteResources.ts';

const authority = createCertificate({ name: 'authority', isAuthority: true });
const first = createCertificate({ name: 'first', issuer: authority });
const second = createCertificate({ name: 'second', issuer: authority });
const weak = createCertificate({ name: 'weak', issuer: authority, isWeak: true });

let directory: string;
let files: { cert: string; key: string; ca: string };
let watched: WatchedCertificateFiles | undefined;

beforeEach(async () => {
  directory = createTemporaryDirectory();
  files = {
    cert: join(directory, 'cert.pem'),
    key: join(directory, 'key.pem'),
    ca: join(directory, 'ca.pem'),
  };
  await writeFile(files.cert, first.cert);
  await writeFile(files.key, first.key);
  await writeFile(files.ca, authority.cert);
});

afterEach(async () => {
  await watched?.close();
});

function watch(of: CertificateFiles = files, now?: () => number) {
  const timers = new FakeTimers();
  const events: unknown[] = [];
  const arrived: (() => void)[] = [];
  const push = (event: unknown) => {
    events.push(event);
    arrived.shift()?.();
  };
  watched = watchCertificateFiles(of, {
    onChange: (contents) => push(contents),
    onError: (error) => push(error.message),
    onWarning: (message) => push(message),
    timers,
    settleMs: 5,
    now,
  });
  return {
    read: watched.read,
    timers,
    events,
    /** Resolves after the next event, which a change of a file has caused. */
    async nextEvent(): Promise<void> {
      const event = new Promise<void>((resolve) => arrived.push(resolve));
      await timers.waitForTimer(5);
      timers.fire(5);
      await event;
    },
  };
}

async function replace(file: string, text: string): Promise<void> {
  await writeFile(`${file}.new`, text);
  await rename(`${file}.new`, file);
}

describe('watchCertificateFiles', () => {
  test('reads a certificate, its key and the certificate authorities', async () => {
    const { read, events } = watch();
    expect(await read()).toEqual({ cert: first.cert, key: first.key, ca: authority.cert });
    expect(events).toEqual([]);
  });

  test('reads the certificate authorities alone', async () => {
    expect(await watch({ ca: files.ca, cert: '', key: '' }).read()).toEqual({ ca: authority.cert });
  });

  test.each<[string, () => Promise<unknown>, string, () => string]>([
    [
      'a missing certificate',
      () => rm(files.cert),
      'cert',
      () => `The certificate file ${files.cert} does not exist.`,
    ],
    [
      'a missing authority',
      () => rm(files.ca),
      'ca',
      () => `The file of certificate authorities ${files.ca} does not exist.`,
    ],
    [
      'a certificate that is no PEM',
      () => writeFile(files.cert, 'hello'),
      'cert',
      () =>
        `The certificate file ${files.cert} has no certificate in PEM form (-----BEGIN CERTIFICATE-----).`,
    ],
    [
      'a damaged certificate after a good one',
      () =>
        writeFile(
          files.ca,
          `${authority.cert}-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n`,
        ),
      'ca',
      () =>
        `The file of certificate authorities ${files.ca} has an invalid certificate (number 2 in the file).`,
    ],
    [
      'a key that is no PEM',
      () => writeFile(files.key, first.cert.slice(30)),
      'key',
      () => `The key file ${files.key} has no private key in PEM form (-----BEGIN PRIVATE KEY-----).`,
    ],
    [
      'a damaged key',
      () => writeFile(files.key, '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n'),
      'key',
      () => `The key file ${files.key} has an invalid private key.`,
    ],
    [
      'a key with a passphrase',
      () =>
        writeFile(
          files.key,
          first.privateKey.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' }),
        ),
      'key',
      () => `The key file ${files.key} is protected by a passphrase: store the key without one.`,
    ],
    [
      'the key of another certificate',
      () => writeFile(files.key, second.key),
      'key',
      () => `The key file ${files.key} does not match the first certificate in ${files.cert}.`,
    ],
    [
      'a key that is too short for OpenSSL',
      () => Promise.all([writeFile(files.cert, weak.cert), writeFile(files.key, weak.key)]),
      'cert',
      () =>
        `The certificate file ${files.cert} is refused by OpenSSL (ee key too small): issue it again with a longer key, or with SHA-256.`,
    ],
  ])('refuses %s with the file and the reason', async (_what, damage, kind, message) => {
    await damage();
    const error = await watch()
      .read()
      .catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(CertificateFileError);
    expect(error).toMatchObject({ problems: [{ kind, message: message() }] });
  });

  test('refuses several files with the reason of each', async () => {
    await rm(files.cert);
    await writeFile(files.key, 'hello');
    await writeFile(files.ca, 'hello');
    const error = await watch()
      .read()
      .catch((reason: unknown) => reason);
    expect(error).toMatchObject({
      problems: [
        { kind: 'cert', message: `The certificate file ${files.cert} does not exist.` },
        {
          kind: 'ca',
          message: `The file of certificate authorities ${files.ca} has no certificate in PEM form (-----BEGIN CERTIFICATE-----).`,
        },
        {
          kind: 'key',
          message: `The key file ${files.key} has no private key in PEM form (-----BEGIN PRIVATE KEY-----).`,
        },
      ],
    });
  });

  test('refuses a certificate without a key, and a key without a certificate', async () => {
    await expect(watch({ cert: files.cert }).read()).rejects.toThrow('the option `key` is missing');
    await watched?.close();
    await expect(watch({ key: files.key }).read()).rejects.toThrow('the option `cert` is missing');
  });

  test('uses a replaced certificate when its key has been replaced too, and reports the mismatch in between once', async () => {
    const { read, events, nextEvent } = watch();
    await read();
    await replace(files.cert, second.cert);
    await nextEvent();
    const mismatch = `The key file ${files.key} does not match the first certificate in ${files.cert}.`;
    expect(events).toEqual([mismatch]);
    await replace(files.key, second.key);
    await nextEvent();
    expect(events).toEqual([mismatch, { cert: second.cert, key: second.key, ca: authority.cert }]);
  });

  test('keeps the former certificate when OpenSSL refuses the new one, and uses the next one', async () => {
    const { read, events, nextEvent } = watch();
    await read();
    await replace(files.key, weak.key);
    await replace(files.cert, weak.cert);
    await nextEvent();
    expect(events).toEqual([expect.stringContaining('is refused by OpenSSL (ee key too small)')]);
    await replace(files.cert, second.cert);
    await replace(files.key, second.key);
    await nextEvent();
    expect(events.slice(1)).toEqual([{ cert: second.cert, key: second.key, ca: authority.cert }]);
  });

  test('warns of a certificate that has expired or is not valid yet, and uses it', async () => {
    const later = Date.now() + 33 * 86_400_000;
    const { read, events } = watch({ ca: files.ca }, () => later);
    expect(await read()).toEqual({ ca: authority.cert });
    expect(events).toEqual([
      expect.stringMatching(
        /^The file of certificate authorities .*ca\.pem has a certificate \(CN=authority\) that expired on \d{4}-.*Z\.$/,
      ),
    ]);
    await watched?.close();
    const early = watch({ ca: files.ca }, () => 0);
    await early.read();
    expect(early.events).toEqual([expect.stringContaining('(CN=authority) that is not valid before ')]);
  });

  test('warns once that a certificate expires within a week, and once that it has expired, although its file does not change', async () => {
    const hourMs = 3_600_000;
    let now = Date.now();
    const { read, events, timers } = watch({ ca: files.ca }, () => now);
    await read();
    timers.fire(hourMs);
    expect(events).toEqual([]);
    for (const days of [22, 2, 4, 6]) {
      now += days * 86_400_000;
      timers.fire(hourMs);
    }
    expect(events).toEqual([
      expect.stringContaining('(CN=authority) that expires on '),
      expect.stringContaining('(CN=authority) that expired on '),
    ]);
    await watched?.close();
    expect(timers.pendingMs()).toEqual([]);
  });
});
