import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from '@jest/globals';
import { findChromium } from '../../harness/chromium.ts';
import { connectRedis, startRedis } from '../../harness/redis.ts';

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
    const { stdout } = await promisify(execFile)(await findChromium(), ['--version', '--no-sandbox']);
    expect(stdout).toMatch(/Chrom/);
  },
  downloadTimeoutMs,
);
