import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import type { GatewayOptions } from '../../gateway/gateway.ts';
import { noShedding } from './testGateway.ts';

export interface GatewayProcess extends AsyncDisposable {
  /** The URL of the GraphQL route. */
  readonly url: string;
  readonly adminUrl: string;
  /** The path of the configuration file. */
  readonly configFile: string;
  /** Resolves to the first match in the output. */
  waitForOutput(pattern: RegExp): Promise<RegExpExecArray>;
  /** Drains the gateway. Resolves to the exit code when all its processes have ended. */
  stop(): Promise<number | null>;
  /** Kills the first process, like a crash. Resolves when all processes have ended. */
  kill(): Promise<void>;
}

/** Headers of a request with a connection of its own. A kept-alive connection may close just when it is reused, after
 *  one of the two processes was paused. */
export const noKeepAlive = { connection: 'close' } as const;

const cli = new URL('../../gateway/cli.ts', import.meta.url).pathname;

/** `serve` restarts itself with this flag if it lacks it, which takes 0.2 s of CPU time. */
const flags = ['--max-semi-space-size=64'];

/** Starts `tributary serve` in a process of its own on free ports. `env` extends this process's environment. @throws
 *  {Error} with the output if the process ends at once. */
export async function startGatewayProcess(
  config: GatewayOptions,
  env: Readonly<Record<string, string>> = {},
): Promise<GatewayProcess> {
  const folder = await mkdtemp(join(tmpdir(), 'tributary-process-'));
  const file = join(folder, 'tributary.yaml');
  // JSON is valid YAML.
  const listen = { port: 0, shutdownDelay: '0s', ...config.listen };
  await writeFile(file, JSON.stringify({ admin: { port: 0 }, overload: noShedding, ...config, listen }));
  const { NODE_OPTIONS: _, ...inherited } = process.env;
  const child = spawn(process.execPath, [...flags, cli, 'serve', '--config', file], {
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
  return {
    url,
    adminUrl,
    configFile: file,
    waitForOutput: printed,
    stop,
    kill,
    [Symbol.asyncDispose]: dispose,
  };
}
