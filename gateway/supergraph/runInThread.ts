import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { threadStackSizeMb } from '../planning/threadStack.ts';

interface ThreadTask {
  /** Entry file of the thread, see `workerEntryUrl`. It posts one message with the result. */
  readonly entry: URL;
  /** Visible in the operating system's thread list. */
  readonly name: string;
  /** The `workerData` of the thread. */
  readonly task: unknown;
  /** Environment of the thread. Defaults to that of this process. */
  readonly env?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
}

/** Runs one task in a new worker thread, and returns the message that the thread posts. The thread has exited, and its
 *  memory is released, when the promise settles.
 *  @throws {unknown} what the thread threw, or the signal's reason. */
export async function runInThread<Result>({ entry, name, task, env, signal }: ThreadTask): Promise<Result> {
  signal?.throwIfAborted();
  const worker = new Worker(entry, {
    name,
    workerData: task,
    resourceLimits: { stackSizeMb: threadStackSizeMb },
    ...(env === undefined ? {} : { env }),
  });
  const end = (): void => void worker.terminate();
  signal?.addEventListener('abort', end, { once: true });
  let result: { readonly value: Result } | undefined;
  worker.once('message', (message: Result) => {
    result = { value: message };
    // Without it, timers of libraries keep the thread running for a while.
    end();
  });
  try {
    // Rejects when the thread throws.
    await once(worker, 'exit');
  } finally {
    signal?.removeEventListener('abort', end);
  }
  signal?.throwIfAborted();
  if (result === undefined) throw new Error(`The thread ${name} exited without a result.`);
  return result.value;
}
