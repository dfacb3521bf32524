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
}

const cli = new URL('../../gateway/cli.ts', import.meta.url).pathname;

/** `tributary serve` in a process of its own, on any free ports. Throws with its output where it ends at once. */
export async function startGatewayProcess(config: GatewayOptions): Promise<GatewayProcess> {
  const folder = await mkdtemp(join(tmpdir(), 'tributary-process-'));
  const file = join(folder, 'tributary.yaml');
  // JSON is YAML.
  await writeFile(file, JSON.stringify({ listen: { port: 0 }, admin: { port: 0 }, ...config }));
  const { NODE_OPTIONS: _, ...env } = process.env;
  const child = spawn(process.execPath, [cli, 'serve', '--config', file], { env });
  const ended = once(child, 'close');
  const dispose = async (): Promise<void> => {
    child.kill('SIGKILL');
    await ended;
    await rm(folder, { recursive: true });
  };
  let output = '';
  const addresses = new Promise<RegExpExecArray>((resolve) => {
    const look = (text: string): void => {
      output += text;
      const found = /listens on (\S+)[\s\S]*Admin listener on (\S+)\n/.exec(output);
      if (found !== null) resolve(found);
    };
    child.stdout.setEncoding('utf8').on('data', look);
    child.stderr.setEncoding('utf8').on('data', look);
  });
  const found = await Promise.race([addresses, ended]);
  if (!('input' in found)) {
    await dispose();
    throw new Error(`The gateway ended at once:\n${output}`);
  }
  const [, url = '', adminUrl = ''] = found;
  return { url, adminUrl, [Symbol.asyncDispose]: dispose };
}
