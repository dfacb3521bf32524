import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Child } from './childProcess.ts';
import { firstLineOf, startChild } from './childProcess.ts';
import type { ClosedLoopJob, ClosedLoopResult } from './closedLoop.ts';
import type { FirstPayloadJob, FirstPayloadResult } from './firstPayload.ts';
import type { LoadJob, LoadReply } from './load.ts';
import { type RunningTarget, startTarget } from './startTarget.ts';
import { subgraphNames, subgraphSdl } from './subgraphs/schemas.ts';
import { wideNames, wideSdl } from './subgraphs/wide.ts';
import type { Target, TargetContext } from './targets/target.ts';
import { writeSupergraph } from './writeSupergraph.ts';

/** The surroundings of every target: running subgraphs, their supergraph, and a load generator. */
export interface BenchEnvironment extends AsyncDisposable {
  readonly subgraphAdmin: string;
  startTarget(target: Target, settings: TargetSettings): Promise<RunningTarget>;
  /** Adds a delay to the responses of one subgraph, or ends that. */
  setDelay(delay: {
    readonly subgraph: string;
    readonly text?: string;
    readonly delayMs?: number;
  }): Promise<void>;
  runClosedLoop(job: ClosedLoopJob): Promise<ClosedLoopResult>;
  runFirstPayload(job: FirstPayloadJob): Promise<FirstPayloadResult>;
}

type TargetSettings = Pick<TargetContext, 'sharing' | 'forwardsAuthorization'>;

interface SubgraphAddresses {
  readonly admin: string;
  readonly urls: Readonly<Record<string, string>>;
}

/** @param wideSubgraphs the number of subgraphs of the graph in `subgraphs/wide.ts`; without it, the four subgraphs of
 *  `subgraphs/schemas.ts` */
export async function createBenchEnvironment(wideSubgraphs?: number): Promise<BenchEnvironment> {
  const directory = mkdtempSync(join(tmpdir(), 'tributary-bench-'));
  const subgraphs = startChild('The subgraphs', {
    core: 'load',
    args: [resolvePath('subgraphs/main.ts')],
    env: wideSubgraphs === undefined ? {} : { BENCH_WIDE_SUBGRAPHS: String(wideSubgraphs) },
  });
  const load = startChild('The load generator', { core: 'load', args: [resolvePath('load.ts')], ipc: true });
  const { admin, urls } = JSON.parse(await firstLineOf(subgraphs)) as SubgraphAddresses;
  const sources =
    wideSubgraphs === undefined
      ? subgraphNames.map((name) => ({ name, sdl: subgraphSdl(name) }))
      : wideNames(wideSubgraphs).map((name, index) => ({ name, sdl: wideSdl(index) }));
  const supergraphFile = await writeSupergraph(
    join(directory, 'supergraph.graphql'),
    sources.map((source) => ({ ...source, url: String(urls[source.name]) })),
  );
  const targets: Child[] = [];
  const runJob = async (job: LoadJob): Promise<LoadReply> => {
    load.process.send(job);
    const [reply] = (await Promise.race([once(load.process, 'message'), load.ended])) as [LoadReply];
    return reply;
  };

  return {
    subgraphAdmin: admin,

    async startTarget(target, settings) {
      const context = { supergraphFile, subgraphUrls: urls, directory, ...settings };
      const running = await startTarget(target, context);
      targets.push(running.child);
      return running;
    },

    async setDelay(delay) {
      await fetch(`${admin}/delay`, { method: 'POST', body: JSON.stringify(delay) });
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

function resolvePath(relative: string): string {
  return new URL(relative, import.meta.url).pathname;
}
