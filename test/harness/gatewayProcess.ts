import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { GatewayOptions } from '../../gateway/gateway.ts';
import { NodeProcess } from './nodeProcess.ts';
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
  const gateway = new NodeProcess([...flags, cli, 'serve', '--config', file], { env });
  const kill = (): Promise<void> => gateway[Symbol.asyncDispose]();
  const dispose = async (): Promise<void> => {
    await kill();
    await rm(folder, { recursive: true });
  };
  const waitForOutput = async (pattern: RegExp): Promise<RegExpExecArray> => {
    const [match] = await gateway.printed('output', pattern);
    return match as RegExpExecArray;
  };
  const addresses = waitForOutput(/listens on (\S+)[\s\S]*Admin listener on (\S+)\n/);
  const [, url = '', adminUrl = ''] = await addresses.catch(async (error) => {
    await dispose();
    throw error;
  });
  const stop = async (): Promise<number | null> => {
    gateway.child.kill('SIGTERM');
    return (await gateway.ended).code;
  };
  return {
    url,
    adminUrl,
    configFile: file,
    waitForOutput,
    stop,
    kill,
    [Symbol.asyncDispose]: dispose,
  };
}
