import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../test/harness/freePort.ts';
import { type Child, startChild, targetCore } from './childProcess.ts';
import type { Target, TargetContext } from './targets/target.ts';

export interface RunningTarget {
  readonly target: Target;
  readonly url: string;
  readonly child: Child;
  /** Where the Node process that serves the requests listens for an inspector after SIGUSR1. `undefined` for another program,
   *  and for one with several processes. */
  readonly inspectorPort: number | undefined;
}

/** What `tributary serve` sets for itself, for the other programs: V8's default young generation (16 MiB) is too small for 50
 *  concurrent requests. `--no-memory-reducer` stands for a flag that has effect in a process that runs already
 *  (`gateway/cli/idleHeap.ts`). */
const serveSettings = {
  flags: [
    '--max-semi-space-size=64',
    '--no-allocation-site-pretenuring',
    '--no-memory-reducer',
    '--no-scavenger-updates-allocation-limit',
    `--import=${new URL('adaptHeap.ts', import.meta.url).href}`,
  ],
  singleCoreFlags: ['--no-parallel-scavenge', '--concurrent-marking-max-worker-num=1'],
  env: { MALLOC_ARENA_MAX: '1' },
};

const startTimeoutMs = 60_000;
const startPollMs = 20;
const maxReportedResponseChars = 200;

/** Starts a target on a free port, with its own directory in `directory`. Resolves when it responds.
 *  `youngGeneration`: the size of a semi-space in MiB; by default what `tributary serve` sets. */
export async function startTarget(
  target: Target,
  { directory, ...context }: Omit<TargetContext, 'port'>,
  youngGeneration?: string,
): Promise<RunningTarget> {
  const port = await freePort();
  const inspectorPort = await freePort();
  const ownDirectory = mkdtempSync(join(directory, 'target-'));
  const { executable, args, env, path } = target.program({ ...context, port, directory: ownDirectory });
  const child = startChild(target.name, {
    core: target.usesAllCores ? 'any' : 'target',
    ...(executable === undefined
      ? {
          args: [
            `--inspect-port=${inspectorPort}`,
            ...flagsOf(target),
            ...(youngGeneration === undefined ? [] : [`--max-semi-space-size=${youngGeneration}`]),
            ...args,
          ],
        }
      : { executable, args }),
    env: { ...(target.role === 'subject' ? {} : serveSettings.env), ...env },
  });
  const url = `http://127.0.0.1:${port}${path}`;
  try {
    await Promise.race([waitUntilReady(url, target), child.ended]);
  } catch (error) {
    await child.stop();
    throw error;
  }
  const isOneNodeProcess = executable === undefined && !target.usesAllCores;
  return { target, url, child, inspectorPort: isOneNodeProcess ? inspectorPort : undefined };
}

/** None for Tributary, which runs as users run it. */
function flagsOf({ role, usesAllCores }: Target): readonly string[] {
  if (role === 'subject') return [];
  const { flags, singleCoreFlags } = serveSettings;
  return targetCore === undefined || usesAllCores ? flags : [...flags, ...singleCoreFlags];
}

async function waitUntilReady(url: string, { name, readyPath }: Target): Promise<void> {
  const deadline = performance.now() + startTimeoutMs;
  const request =
    readyPath === undefined
      ? {
          url,
          init: {
            method: 'POST',
            headers: { 'content-type': 'application/json' },
            body: '{"query":"{__typename}"}',
          },
        }
      : { url: new URL(readyPath, url).href, init: {} };
  let last = '';
  while (performance.now() < deadline) {
    const isReady = await fetch(request.url, request.init).then(
      async (response) => {
        last = `status ${response.status}: ${(await response.text()).slice(0, maxReportedResponseChars)}`;
        return response.status === 200;
      },
      (error: Error) => {
        last = String(error.cause ?? error);
        return false;
      },
    );
    if (isReady) return;
    await new Promise((resolve) => setTimeout(resolve, startPollMs));
  }
  throw new Error(
    `${name} did not respond with status 200 on ${request.url} within ${startTimeoutMs / 1000} s. Its last response: ${last}`,
  );
}
