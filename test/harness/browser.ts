import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BrowserContext, chromium } from 'playwright-core';
import { findChromium } from './chromium.ts';

/** For a hook that calls `startBrowser`: the first start on a machine may install the browser. */
export const browserStartTimeoutMs = 300_000;

const flags = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export interface TestBrowser extends AsyncDisposable {
  readonly context: BrowserContext;
}

/** Starts Chromium without a window and with an empty profile. */
export async function startBrowser(): Promise<TestBrowser> {
  const userDataDirectory = await mkdtemp(join(tmpdir(), 'browser-'));
  const context = await chromium.launchPersistentContext(userDataDirectory, {
    executablePath: await findChromium(),
    timeout: browserStartTimeoutMs / 2,
    headless: true,
    args: flags,
  });
  context.setDefaultTimeout(browserStartTimeoutMs);
  return {
    context,
    [Symbol.asyncDispose]: async () => {
      await context.close();
      await rm(userDataDirectory, { recursive: true, force: true });
    },
  };
}
