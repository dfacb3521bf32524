import { setFlagsFromString } from 'node:v8';
import { availableCores } from './availableCores.ts';

// Fifty concurrent responses of 100 KB do not fit into V8's default young generation (16 MB). They are promoted to the old
// generation, and garbage collection then takes a third of the CPU time. The size can be set only at process start.
const youngGenerationFlag = '--max-semi-space-size=64';

// V8 marks the old generation with up to four threads besides the main one. On a single core, they take most of it until the
// heap is marked. Without any, the main thread would be so late that the heap grows by half. Set at process start only.
const oneMarkingThread = '--concurrent-marking-max-worker-num=1';

/** Node flags of this process, with a larger young generation unless a size is set already. On one core, also with a single
 *  thread that marks the old generation. */
export function flagsWithYoungGeneration(
  flags: readonly string[] = process.execArgv,
  nodeOptions = process.env.NODE_OPTIONS ?? '',
  cores = availableCores(),
): string[] {
  if (hasYoungGenerationFlag([...flags, nodeOptions])) return [...flags];
  return [youngGenerationFlag, ...(cores === 1 ? [oneMarkingThread] : []), ...flags];
}

/** Lets glibc use one arena. With an arena for each thread, the free memory of one is no use to the others: about 16 MiB
 *  more when idle, and more than that under load. */
export const memoryEnvironment = { MALLOC_ARENA_MAX: process.env.MALLOC_ARENA_MAX ?? '1' };

/** Restarts the program in this process with the flag for the young generation, and with `memoryEnvironment`. Returns when a
 *  size is already set, or when a restart is not possible: on Windows, or with an IPC channel to a parent process, which
 *  `execve` would close. */
export function restartWithYoungGeneration(): void {
  const { execArgv, execPath, argv, env } = process;
  if (hasYoungGenerationFlag([...execArgv, env.NODE_OPTIONS ?? '']) || process.execve === undefined) return;
  if (process.platform === 'win32' || process.send !== undefined) return;
  process.execve(execPath, [execPath, ...flagsWithYoungGeneration(), ...argv.slice(1)], {
    ...env,
    ...memoryEnvironment,
  });
}

/** Lets V8 create every object in the young generation. Otherwise, it creates those of code whose objects survived at first
 *  in the old one, for as long as the process runs. At the start of a busy gateway, that is code whose objects live as long
 *  as a request. Such an object stays in memory until the next full collection, with everything that it refers to. */
export function createObjectsInYoungGeneration(setFlags = setFlagsFromString): void {
  setFlags('--no-allocation-site-pretenuring');
}

/** Lets the young generation grow to four times its size at once. V8 shrinks it at a collection after quiet times, which is
 *  often the first one of new load, and doubles it later. Until it is large again, collections follow each other within the
 *  time of a request, and promote what the requests under way refer to. */
export function growYoungGenerationAtOnce(setFlags = setFlagsFromString): void {
  setFlags('--semi-space-growth-factor=4');
}

/** Lets threads that start from now on have the young generation that their `resourceLimits` name, or V8's default: the flag of
 *  the process would be stronger. It is for many requests, which only the main thread has, whose heap keeps its size. */
export function limitYoungGenerationOfThreads(): void {
  setFlagsFromString('--max-semi-space-size=0');
}

function hasYoungGenerationFlag(flags: readonly string[]): boolean {
  return flags.some((text) => /--max[-_]semi[-_]space[-_]size/.test(text));
}
