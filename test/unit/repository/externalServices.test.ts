import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from '@jest/globals';
import { findChromium } from '../../harness/chromium.ts';
import { aptLock, findOnPath, withAptLock } from '../../harness/debianProgram.ts';
import { connectRedis, startRedis } from '../../harness/redis.ts';

const testWithApt = findOnPath('apt-get') === undefined ? test.skip : test;
const runFile = promisify(execFile);

// The first run on a machine may have to download the programs.
const downloadTimeoutMs = 300_000;

test(
  'a real Redis responds to PING',
  async () => {
    await using server = await startRedis();
    const redis = connectRedis(server.url);
    try {
      expect(await redis.ping()).toBe('PONG');
    } finally {
      redis.disconnect();
    }
  },
  downloadTimeoutMs,
);

test(
  'a real Chromium reports its version',
  async () => {
    const { stdout } = await runFile(await findChromium(), ['--version', '--no-sandbox']);
    expect(stdout).toMatch(/Chrom/);
  },
  downloadTimeoutMs,
);

testWithApt(
  'a suite that installs a program keeps other suites from running apt',
  async () => {
    const tryLock = () => runFile('flock', ['--nonblock', aptLock, 'true']);
    await withAptLock(() => expect(tryLock()).rejects.toMatchObject({ code: 1 }));
  },
  downloadTimeoutMs,
);
