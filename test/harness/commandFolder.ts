import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runCommandInProcess } from './commandInProcess.ts';
import { RunningCommand } from './runningCommand.ts';
import { createTemporaryDirectory } from './suiteResources.ts';

/** The working directory of the suite's commands. */
export const folder = createTemporaryDirectory();

/** Returns the path of the written file. */
export function write(name: string, content: string): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

/** Runs `tributary <args>` in a process of its own, until its end. `entry`: see `RunningCommand`. */
export function run(args: readonly string[], env?: Record<string, string>, entry?: string) {
  return new RunningCommand(folder, args, env, entry).ended;
}

/** For what a command does. A process of its own needs up to a second of CPU time to start. */
export function runInProcess(args: readonly string[]) {
  return runCommandInProcess(args, folder);
}
