import { once } from 'node:events';
import { Worker } from 'node:worker_threads';

interface ThreadTask {
  /** See `workerEntryUrl`. Says its answer with one message; what it is given it finds in `workerData`. */
  readonly entry: URL;
  /** Seen in the operating system's thread list. */
  readonly name: string;
  readonly task: unknown;
  /** Its environment; this process's own where left out. */
  readonly env?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
}

/** Does one thing in a thread of its own, which is gone afterwards with everything that it held. Errors: what the
 *  thread threw; the signal's reason. */
export async function runInThread<Answer>({ entry, name, task, env, signal }: ThreadTask): Promise<Answer> {
  signal?.throwIfAborted();
  const worker = new Worker(entry, { name, workerData: task, ...(env === undefined ? {} : { env }) });
  const end = (): void => void worker.terminate();
  signal?.addEventListener('abort', end, { once: true });
  let answer: { readonly is: Answer } | undefined;
  worker.once('message', (message: Answer) => {
    answer = { is: message };
    // Timers of the libraries that it uses would keep it for a while.
    end();
  });
  try {
    // Rejects when the thread throws.
    await once(worker, 'exit');
  } finally {
    signal?.removeEventListener('abort', end);
  }
  signal?.throwIfAborted();
  if (answer === undefined) throw new Error(`the thread ${name} ended without an answer`);
  return answer.is;
}
