import { Console } from 'node:console';
import { randomUUID } from 'node:crypto';
import type { EventEmitter } from 'node:events';
import process from 'node:process';
import { Writable } from 'node:stream';
import { setFlagsFromString } from 'node:v8';
import { withoutPlannerThreads } from './shared/plannerThreads.ts';

export interface CommandOutcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const cli = new URL('../../gateway/cli.ts', import.meta.url);
cli.search = '';
let lastRun: Promise<unknown> = Promise.resolve();

/** Runs `tributary <args>` in this process, which has already loaded the gateway; a process of its own needs seconds
 *  of CPU time for that. Arguments, working directory, output and exit code are those of the command, so commands run
 *  one at a time. For commands that end by themselves. */
export function runCommandInProcess(args: readonly string[], cwd: string): Promise<CommandOutcome> {
  const run = lastRun.then(() => withoutPlannerThreads(() => runAlone(args, cwd)));
  lastRun = run.catch(() => {});
  return run;
}

async function runAlone(args: readonly string[], cwd: string): Promise<CommandOutcome> {
  const stdout = new TextSink();
  const stderr = new TextSink();
  const before = {
    argv: process.argv,
    cwd: process.cwd(),
    exitCode: process.exitCode,
    exit: process.exit,
    console: globalThis.console,
    writeStdout: process.stdout.write,
    writeStderr: process.stderr.write,
  };
  const removers = [
    rememberListeners(process, 'uncaughtException'),
    rememberListeners(process.stdout, 'error'),
    rememberListeners(process.stderr, 'error'),
  ];
  process.argv = [process.execPath, cli.pathname, ...args];
  process.exitCode = undefined;
  // A command calls it at its end only.
  process.exit = ((code) => {
    process.exitCode = code;
  }) as typeof process.exit;
  process.stdout.write = stdout.write.bind(stdout) as typeof process.stdout.write;
  process.stderr.write = stderr.write.bind(stderr) as typeof process.stderr.write;
  globalThis.console = new Console({ stdout, stderr });
  process.chdir(cwd);
  try {
    // Unique in the worker, in which other suites run commands, too: a module that is loaded already does nothing.
    await import(`${cli.href}?run=${randomUUID()}`);
    return { code: Number(process.exitCode ?? 0), stdout: stdout.text, stderr: stderr.text };
  } finally {
    process.argv = before.argv;
    process.exitCode = before.exitCode;
    process.exit = before.exit;
    process.stdout.write = before.writeStdout;
    process.stderr.write = before.writeStderr;
    globalThis.console = before.console;
    process.chdir(before.cwd);
    for (const removeNewListeners of removers) removeNewListeners();
    // The contract commands slow down the growth of the heap; this restores V8's default.
    setFlagsFromString('--heap-growing-percent=0');
  }
}

/** Returns a function that removes the listeners that were added since. */
function rememberListeners(emitter: EventEmitter, event: string): () => void {
  const before = emitter.rawListeners(event);
  return () => {
    for (const listener of emitter.rawListeners(event)) {
      if (!before.includes(listener)) emitter.removeListener(event, listener as () => void);
    }
  };
}

class TextSink extends Writable {
  text = '';

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}
