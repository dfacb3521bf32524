import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import { join } from 'node:path';
import { closeServer } from '../../harness/closeServer.ts';
import { type ScriptedServer, startScriptedServer } from '../../harness/scriptedServer.ts';
import { createTemporaryDirectory } from '../../harness/suiteResources.ts';

type Script = Parameters<typeof startScriptedServer>[0];
type Overrides = Parameters<typeof startScriptedServer>[1];

export interface Workers extends AsyncDisposable {
  readonly directory: string;
  readonly first: ScriptedServer;
  readonly second: ScriptedServer;
}

/** Starts two workers of one gateway, named `1` and `2`. */
export async function startWorkers(script?: Script, overrides: Overrides = {}): Promise<Workers> {
  const directory = createTemporaryDirectory();
  const start = (name: string) => startScriptedServer(script, { ...overrides, worker: { name, directory } });
  const [first, second] = [await start('1'), await start('2')];
  return {
    directory,
    first,
    second,
    [Symbol.asyncDispose]: async () => {
      await Promise.all([first.close(), second.close()]);
    },
  };
}

/** Starts a server in place of a third worker, named `3`. Returns a token of that worker. */
export async function startFakeWorker({ directory }: Workers, listener: RequestListener) {
  const server = createServer(listener);
  server.listen(join(directory, '3'));
  await once(server, 'listening');
  return {
    token: tokenOf('3'),
    [Symbol.asyncDispose]: () => closeServer(server),
  };
}

export const query = '{ greeting }';
export const subscription = 'subscription { greetings }';

export function tokenOf(worker: string): string {
  return `0b5a3c1e-5f0e-4d0f-9a53-2f1d2f6f7d11.${worker}`;
}
