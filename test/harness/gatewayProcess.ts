import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import type { GatewayOptions } from '../../gateway/gateway.ts';

export interface GatewayProcess extends AsyncDisposable {
  /** Of the GraphQL route. */
  readonly url: string;
  readonly adminUrl: string;
  /** The first match in the output, as soon as there is one. */
  waitForOutput(pattern: RegExp): Promise<RegExpExecArray>;
  /** Has it drained. Resolves to the exit code, when all its processes are gone. */
  stop(): Promise<number | null>;
  /** Ends its first process as a crash does. Resolves when all are gone. */
  kill(): Promise<void>;
}

/** Headers of a request on a connection of its own. One that is kept may be closed just when it is used again, after a
 *  while in which one of the two processes stood still. */
export const noKeepAlive = { connection: 'close' } as const;

const cli = new URL('../../gateway/cli.ts', import.meta.url).pathname;

/** `tributary serve` in a process of its own, on any free ports. Throws with its output where it ends at once. `env`: on
 *  top of what this process has. */
export async function startGatewayProcess(
  config: GatewayOptions,
  env: Readonly<Record<string, string>> = {},
): Promise<GatewayProcess> {
  const folder = await mkdtemp(join(tmpdir(), 'tributary-process-'));
  const file = join(folder, 'tributary.yaml');
  // JSON is YAML.
  await writeFile(file, JSON.stringify({ listen: { port: 0 }, admin: { port: 0 }, ...config }));
  const { NODE_OPTIONS: _, ...inherited } = process.env;
  const child = spawn(process.execPath, [cli, 'serve', '--config', file], {
    env: { ...inherited, ...env },
  });
  const ended = once(child, 'close');
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL');
    await ended;
  };
  const dispose = async (): Promise<void> => {
    await kill();
    await rm(folder, { recursive: true });
  };
  let output = '';
  const looks = new Set<() => void>();
  const take = (text: string): void => {
    output += text;
    for (const look of looks) look();
  };
  child.stdout.setEncoding('utf8').on('data', take);
  child.stderr.setEncoding('utf8').on('data', take);
  const printed = (pattern: RegExp): Promise<RegExpExecArray> =>
    new Promise((resolve) => {
      const look = (): void => {
        const found = pattern.exec(output);
        if (found === null) return;
        looks.delete(look);
        resolve(found);
      };
      looks.add(look);
      look();
    });
  const addresses = printed(/listens on (\S+)[\s\S]*Admin listener on (\S+)\n/);
  const found = await Promise.race([addresses, ended]);
  if (!('input' in found)) {
    await dispose();
    throw new Error(`The gateway ended at once:\n${output}`);
  }
  const [, url = '', adminUrl = ''] = found;
  const stop = async (): Promise<number | null> => {
    child.kill('SIGTERM');
    const [code] = await ended;
    return code;
  };
  return { url, adminUrl, waitForOutput: printed, stop, kill, [Symbol.asyncDispose]: dispose };
}
