import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';

const bootstrap = join(import.meta.dirname, '../../../scripts/bootstrap.mjs');

let folder: string;
let script: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tributary-bootstrap-'));
  script = join(folder, 'script.ts');
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

function startBootstrap(args: readonly string[], env: Record<string, string> = {}): ChildProcess {
  return spawn(process.execPath, [bootstrap, ...args], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}

describe('scripts/bootstrap.mjs', () => {
  test('passes the arguments to the script and exits with its exit code', async () => {
    await writeFile(script, 'process.exitCode = Number(process.argv[2]);');
    const [code] = await once(startBootstrap([script, '7']), 'exit');
    expect(code).toBe(7);
  });

  test("runs TypeScript on the project's own Node", async () => {
    await writeFile(script, 'const version: string = process.version; console.log(version);');
    const child = startBootstrap([script]);
    const output: Buffer[] = [];
    child.stdout?.on('data', (chunk: Buffer) => output.push(chunk));
    await once(child, 'close');
    expect(Buffer.concat(output).toString()).toMatch(/^v26\.\d+\.\d+\n$/);
  });

  test.each(['SIGINT', 'SIGTERM'] as const)(
    'passes %s on and waits for the script to end',
    async (signal) => {
      const lines = [
        `process.on('${signal}', () => process.exit(9));`,
        'setInterval(() => {}, 1000);',
        "console.log('started');",
      ];
      await writeFile(script, lines.join('\n'));
      const child = startBootstrap([script]);
      const exited = once(child, 'exit');
      if (child.stdout === null) throw new Error('The process has no standard output.');
      await once(child.stdout, 'data');
      child.kill(signal);
      expect(await exited).toEqual([9, null]);
    },
  );

  test('ends the demo subgraphs when it is killed', async () => {
    const child = startBootstrap(['subgraphs/demo.ts'], { PORT: '0' });
    // Emitted when the last process with this pipe has exited.
    const closed = once(child, 'close');
    if (child.stdout === null) throw new Error('The process has no standard output.');
    await once(child.stdout, 'data');
    child.kill('SIGKILL');
    child.stdout.resume();
    expect(await closed).toEqual([null, 'SIGKILL']);
  });

  test('prints its usage without a script', async () => {
    const child = spawn(process.execPath, [bootstrap], { stdio: ['ignore', 'inherit', 'pipe'] });
    const output: Buffer[] = [];
    child.stderr.on('data', (chunk: Buffer) => output.push(chunk));
    const [code] = await once(child, 'close');
    expect(Buffer.concat(output).toString()).toBe('Usage: node scripts/bootstrap.mjs SCRIPT [arguments]\n');
    expect(code).toBe(2);
  });
});
