import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { composeServices } from '@apollo/composition';
import { parse } from 'graphql';
import type { Child } from './childProcess.ts';
import { startChild } from './childProcess.ts';
import type { ClosedLoopJob, ClosedLoopResult } from './closedLoop.ts';
import type { FirstPayloadJob, FirstPayloadResult } from './firstPayload.ts';
import type { LoadJob, LoadReply } from './load.ts';
import type { SubgraphName } from './subgraphs/schemas.ts';
import { subgraphNames, subgraphSdl } from './subgraphs/schemas.ts';
import type { Target } from './targets/target.ts';

/** What every target needs around it: running subgraphs, their supergraph, and a load generator. */
export interface Surroundings extends AsyncDisposable {
  readonly subgraphAdmin: string;
  startTarget(target: Target, sharing: boolean): Promise<RunningTarget>;
  runClosedLoop(job: ClosedLoopJob): Promise<ClosedLoopResult>;
  runFirstPayload(job: FirstPayloadJob): Promise<FirstPayloadResult>;
}

export interface RunningTarget {
  readonly target: Target;
  readonly url: string;
  readonly child: Child;
}

interface SubgraphAddresses {
  readonly admin: string;
  readonly urls: Readonly<Record<SubgraphName, string>>;
}

/** The same for every target: the default young generation (16 MiB) is too small for 50 requests in flight. */
const nodeFlags = ['--max-semi-space-size=64'];

const startTimeoutMs = 60_000;
const startPollMs = 100;

export async function createSurroundings(): Promise<Surroundings> {
  const directory = mkdtempSync(join(tmpdir(), 'tributary-bench-'));
  const subgraphs = startChild('The subgraphs', { core: 'load', args: [fileHere('subgraphs/main.ts')] });
  const load = startChild('The load generator', { core: 'load', args: [fileHere('load.ts')], ipc: true });
  const { admin, urls } = await addresses(subgraphs);
  const supergraphFile = join(directory, 'supergraph.graphql');
  writeFileSync(supergraphFile, composeSupergraph(urls));
  const targets: Child[] = [];
  const runJob = async (job: LoadJob): Promise<LoadReply> => {
    load.process.send(job);
    const [reply] = (await Promise.race([once(load.process, 'message'), load.ended])) as [LoadReply];
    return reply;
  };

  return {
    subgraphAdmin: admin,

    async startTarget(target, sharing) {
      const port = await freePort();
      const ownDirectory = join(directory, `${target.name}-${port}`);
      mkdirSync(ownDirectory);
      const context = { port, supergraphFile, subgraphUrls: urls, sharing, directory: ownDirectory };
      const { args, env, path } = target.program(context);
      const child = startChild(target.name, { core: 'target', args: [...nodeFlags, ...args], env });
      targets.push(child);
      const url = `http://127.0.0.1:${port}${path}`;
      await Promise.race([untilAnswering(url, target.name), child.ended]);
      return { target, url, child };
    },

    async runClosedLoop(job) {
      const reply = await runJob(job);
      if (reply.kind !== 'closed-loop') throw replyError(reply);
      return reply.result;
    },

    async runFirstPayload(job) {
      const reply = await runJob(job);
      if (reply.kind !== 'first-payload') throw replyError(reply);
      return reply.result;
    },

    async [Symbol.asyncDispose]() {
      await Promise.all([...targets, load, subgraphs].map((child) => child.stop()));
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

function replyError(reply: LoadReply): Error {
  return new Error(
    reply.kind === 'failed' ? reply.message : `Unexpected reply of the load generator: ${reply.kind}`,
  );
}

async function addresses(subgraphs: Child): Promise<SubgraphAddresses> {
  const { stdout } = subgraphs.process;
  if (!stdout) throw new Error('The subgraphs have no standard output');
  const firstLine = once(createInterface({ input: stdout }), 'line') as Promise<[string]>;
  const [line] = await Promise.race([firstLine, subgraphs.ended]);
  return JSON.parse(line) as SubgraphAddresses;
}

function composeSupergraph(urls: SubgraphAddresses['urls']): string {
  const { supergraphSdl, errors } = composeServices(
    subgraphNames.map((name) => ({ name, url: urls[name], typeDefs: parse(subgraphSdl(name)) })),
  );
  if (!supergraphSdl) throw new AggregateError(errors ?? [], 'The subgraphs do not compose');
  return supergraphSdl;
}

async function untilAnswering(url: string, name: string): Promise<void> {
  const deadline = performance.now() + startTimeoutMs;
  while (performance.now() < deadline) {
    const status = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"query":"{__typename}"}',
    }).then(
      async (response) => {
        await response.arrayBuffer();
        return response.status;
      },
      () => undefined,
    );
    if (status === 200) return;
    await new Promise((resolve) => setTimeout(resolve, startPollMs));
  }
  throw new Error(`${name} does not answer on ${url}`);
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

function fileHere(relative: string): string {
  return new URL(relative, import.meta.url).pathname;
}
