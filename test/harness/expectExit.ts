import { execFile } from 'node:child_process';
import { join } from 'node:path';
import process from 'node:process';
import { promisify } from 'node:util';
import { expect } from '@jest/globals';
import { startDedicatedRedis } from './redis.ts';

const root = join(import.meta.dirname, '../..');

/** Expects that a process ends by itself, without output, when its code has closed what it opened: while Redis works
 *  (`url`), hangs, and is dead.
 *
 *  `code` runs after `imports`, with the `config` of this Redis, `problems`, `systemTimers`, and `works`: whether this Redis
 *  works, so that the code can wait for it. */
export async function expectExit(
  url: string,
  { imports, code }: { imports: string; code: string },
): Promise<void> {
  const script = `
    import { pino } from 'pino';
    import { parseConfig } from './gateway/config/parseConfig.ts';
    import { ProblemLog } from './gateway/telemetry/problemLog.ts';
    import { systemTimers } from './gateway/time/timers.ts';
    ${imports}
    process.on('unhandledRejection', (error) => { console.log('unhandled', error); process.exit(1); });
    const [url, state] = process.argv.slice(1);
    const works = state === 'works';
    const config = parseConfig({ supergraph: { file: 'a' }, redis: { url, timeouts: { socket: '10m' } } }).redis;
    const problems = new ProblemLog({ log: pino({ level: 'silent' }), now: Date.now, message: '' });
    ${code}
  `;
  const run = async (redisUrl: string, state: string) => {
    const args = ['--input-type=module', '-e', script, redisUrl, state];
    const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: root });
    expect(stdout).toBe('');
  };
  await using hung = await startDedicatedRedis();
  await using dead = await startDedicatedRedis();
  await dead.kill();
  hung.pause();
  await Promise.all([run(url, 'works'), run(hung.url, 'hangs'), run(dead.url, 'is dead')]);
  hung.resume();
}
