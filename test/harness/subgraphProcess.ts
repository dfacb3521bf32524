import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import process from 'node:process';
import { json } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

/** A subgraph in a process of its own, which the test can pause and kill. Each of its fields has the id of the process as
 *  its value. */
export interface SubgraphProcess extends AsyncDisposable {
  readonly url: string;
  /** The value of each field. */
  readonly pid: string;
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void;
  kill(): Promise<void>;
}

/** `rootField` and `entityField`: the fields that it serves, of `Query` and of `Product`. */
export async function startSubgraphProcess(rootField: string, entityField: string): Promise<SubgraphProcess> {
  const { NODE_OPTIONS: _, ...env } = process.env;
  const child: ChildProcess = spawn(
    process.execPath,
    [fileURLToPath(new URL(import.meta.url.split('?', 1)[0] as string)), rootField, entityField],
    { env, stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const ended = once(child, 'close');
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL');
    await ended;
  };
  const first = child.stdout === null ? ended : once(child.stdout, 'data');
  const [line] = await Promise.race([first, ended]);
  if (!Buffer.isBuffer(line)) throw new Error('The process of a subgraph ended at once.');
  return {
    url: line.toString().trim(),
    pid: String(child.pid),
    signal: (signal) => void child.kill(signal),
    kill,
    [Symbol.asyncDispose]: kill,
  };
}

interface SubgraphRequestBody {
  readonly variables?: { readonly representations?: readonly object[] };
}

async function serve(rootField: string, entityField: string): Promise<void> {
  const value = String(process.pid);
  const server = createServer(async (request, response) => {
    const { variables } = (await json(request)) as SubgraphRequestBody;
    const entities = variables?.representations?.map(() => ({ __typename: 'Product', [entityField]: value }));
    const data = entities === undefined ? { [rootField]: value } : { _entities: entities };
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ data }));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  process.stdout.write(`http://127.0.0.1:${(server.address() as AddressInfo).port}/graphql\n`);
}

if (import.meta.main) await serve(process.argv[2] ?? '', process.argv[3] ?? '');
