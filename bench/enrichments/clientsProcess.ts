/** The clients of a gateway. Takes one job at a time from its parent and replies with the results. */
import { constants, setPriority } from 'node:os';
import { setTimeout as elapse } from 'node:timers/promises';
import { ClientConnection, type Received } from '../clientConnection.ts';
import { requestBytes } from '../httpConnection.ts';
import { fetchUpdates, type Update } from './fetchUpdates.ts';
import { readFirstAnswer } from './firstAnswer.ts';
import { Tally, type TallyResult } from './tally.ts';

export interface ClientsJob {
  readonly url: string;
  readonly query: string;
  /** `incremental`: accepts deferred payloads although the operation has no `@defer`. */
  readonly clients: ClientKind;
  /** The path of the enrichment. */
  readonly enriched: Update['path'];
  /** The complete `data` by `id`. Requests use the ids in turn. */
  readonly expected: readonly (readonly [id: string, data: unknown])[];
  readonly requestsPerSecond: number;
  readonly measureMs: number;
  /** How long a client waits for a first response, and then for the pending fields. */
  readonly timeoutMs: number;
}

export type ClientKind = 'json' | 'incremental';

export type ClientsReply =
  | { readonly kind: 'result'; readonly result: TallyResult }
  | { readonly kind: 'failed'; readonly message: string };

const headersOf: Readonly<Record<ClientKind, Readonly<Record<string, string>>>> = {
  json: { accept: 'application/json' },
  incremental: { accept: 'multipart/mixed; deferSpec=20220824', 'tributary-defer': 'auto' },
};

/** One in this many clients loses its connection while it waits for pending fields. */
const interruptedOneIn = 4;

/** Starts requests at a fixed rate, however long their responses take. */
async function run(job: ClientsJob): Promise<TallyResult> {
  const clients = new Clients(job);
  const requests: Promise<void>[] = [];
  const count = Math.round((job.requestsPerSecond * job.measureMs) / 1000);
  const startedAt = performance.now();
  try {
    for (let index = 0; index < count; index++) {
      const wait = startedAt + (index * 1000) / job.requestsPerSecond - performance.now();
      if (wait > 0) await elapse(wait);
      requests.push(clients.execute(index));
    }
    await Promise.all(requests);
    return clients.tally.result();
  } finally {
    clients.close();
  }
}

class Clients {
  readonly tally = new Tally();
  readonly #job: ClientsJob;
  readonly #url: URL;
  readonly #requests: readonly Buffer[];
  readonly #idle: ClientConnection[] = [];
  readonly #all = new Set<ClientConnection>();

  constructor(job: ClientsJob) {
    const { url, query, clients, expected } = job;
    this.#job = job;
    this.#url = new URL(url);
    this.#requests = expected.map(([id]) =>
      requestBytes({ url, query, variables: { id }, headers: headersOf[clients] }),
    );
  }

  /** Sends a request and waits for the complete response, including pending fields. */
  async execute(index: number): Promise<void> {
    const { expected, enriched } = this.#job;
    const sentAt = performance.now();
    try {
      const received = await this.#receive(this.#requests[index % expected.length] as Buffer);
      if (received === undefined) {
        this.tally.recordUnanswered();
        return;
      }
      const answer = readFirstAnswer(received, enriched);
      this.tally.recordFirst(received.firstMs);
      const { token, later } = answer;
      const isInterrupted = index % interruptedOneIn === 0;
      const updates =
        token === undefined ? later : [...later, ...(await this.#fetchUpdates(token, isInterrupted))];
      const [, data] = expected[index % expected.length] ?? [];
      this.tally.recordComplete(answer, updates, data, performance.now() - sentAt);
    } catch (error) {
      this.tally.recordUnanswered();
      this.tally.recordProblem(String(error));
    }
  }

  close(): void {
    for (const connection of this.#all) connection.close();
  }

  async #receive(request: Buffer): Promise<Received | undefined> {
    // A target closes connections that were idle for a while.
    let connection = this.#idle.pop();
    while (connection?.isOpen === false) connection = this.#idle.pop();
    connection ??= new ClientConnection(this.#url);
    this.#all.add(connection);
    const received = await withTimeout(connection.send(request), this.#job.timeoutMs);
    if (received === undefined) connection.close();
    else this.#idle.push(connection);
    return received;
  }

  /** Returns no updates if fetching them fails or takes too long; the fields that are still pending then count as
   *  lost. */
  async #fetchUpdates(token: string, isInterrupted: boolean): Promise<readonly Update[]> {
    try {
      const updates = await withTimeout(fetchUpdates(this.#url, token, isInterrupted), this.#job.timeoutMs);
      if (updates !== undefined) return updates;
      this.tally.recordProblem('The updates of a token did not end');
    } catch (error) {
      this.tally.recordProblem(String(error));
    }
    return [];
  }
}

async function withTimeout<Value>(promise: Promise<Value>, ms: number): Promise<Value | undefined> {
  const timeout = new AbortController();
  const over = elapse(ms, undefined, { signal: timeout.signal, ref: false }).catch(() => undefined);
  try {
    return await Promise.race([promise, over]);
  } finally {
    timeout.abort();
    promise.catch(() => {});
  }
}

// The clients share a core with the subgraphs, and must notice a response when it arrives.
try {
  setPriority(constants.priority.PRIORITY_HIGH);
} catch {
  console.error('The clients run without raised priority: they may notice responses late.');
}

process.on('message', async (job: ClientsJob) => {
  const reply = await run(job).then(
    (result): ClientsReply => ({ kind: 'result', result }),
    (error: unknown): ClientsReply => ({ kind: 'failed', message: String(error) }),
  );
  process.send?.(reply);
});
