/** The clients of a gateway. Takes one job at a time from its parent and replies with the results. */
import { setTimeout as elapse } from 'node:timers/promises';
import { ClientConnection } from '../clientConnection.ts';
import { requestBytes } from '../httpConnection.ts';
import { percentile } from '../percentile.ts';

/** Clients of one kind. */
export interface ClientClass {
  readonly name: string;
  readonly requestsPerSecond: number;
  readonly query: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface ClientsJob {
  readonly url: string;
  readonly classes: readonly ClientClass[];
  readonly measureMs: number;
  /** How long a client waits. */
  readonly timeoutMs: number;
  /** The `id` of requests are in turn 1 to this. */
  readonly ids: number;
}

export interface ClassResult {
  readonly name: string;
  readonly sent: number;
  /** Complete responses without errors, in time. */
  readonly good: number;
  /** Of the good ones: with stale values. */
  readonly stale: number;
  /** Of all responses; `null` if the client gave up. */
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
  readonly p999Ms: number | null;
  /** When the last request that was not good was sent, since the start of the job; 0 if all were good. */
  readonly lastFailureMs: number;
  /** How often each error code was in the responses that were not good, and how often clients gave up. */
  readonly failures: Readonly<Record<string, number>>;
}

export type ClientsReply =
  | { readonly kind: 'result'; readonly classes: readonly ClassResult[] }
  | { readonly kind: 'failed'; readonly message: string };

interface Tally {
  readonly latencies: number[];
  good: number;
  stale: number;
  lastFailureMs: number;
  readonly failures: Record<string, number>;
}

class Clients {
  readonly #job: ClientsJob;
  readonly #idle: ClientConnection[] = [];
  readonly #all = new Set<ClientConnection>();
  #count = 0;

  constructor(job: ClientsJob) {
    this.#job = job;
  }

  /** Starts requests at a fixed rate, however long their responses take. */
  async run(startedAt: number, one: ClientClass): Promise<ClassResult> {
    const { measureMs } = this.#job;
    const tally: Tally = { latencies: [], good: 0, stale: 0, lastFailureMs: 0, failures: {} };
    const requests: Promise<void>[] = [];
    const count = Math.round((one.requestsPerSecond * measureMs) / 1000);
    for (let index = 0; index < count; index++) {
      const wait = startedAt + (index * 1000) / one.requestsPerSecond - performance.now();
      if (wait > 0) await elapse(wait);
      requests.push(this.#execute(one, tally, startedAt));
    }
    await Promise.all(requests);
    const sorted = tally.latencies.sort((a, b) => a - b);
    const at = (percent: number): number | null => {
      const ms = percentile(sorted, percent);
      return Number.isFinite(ms) ? ms : null;
    };
    return {
      name: one.name,
      sent: sorted.length,
      good: tally.good,
      stale: tally.stale,
      p50Ms: at(50),
      p99Ms: at(99),
      p999Ms: at(99.9),
      lastFailureMs: tally.lastFailureMs,
      failures: tally.failures,
    };
  }

  close(): void {
    for (const connection of this.#all) connection.close();
  }

  async #execute({ query, headers }: ClientClass, tally: Tally, startedAt: number): Promise<void> {
    const { url, ids, timeoutMs } = this.#job;
    this.#count += 1;
    const request = requestBytes({
      url,
      query,
      variables: { id: String(1 + (this.#count % ids)) },
      headers: { accept: 'application/json', ...headers },
    });
    // A target closes connections that were idle for a while.
    let connection = this.#idle.pop();
    while (connection?.isOpen === false) connection = this.#idle.pop();
    connection ??= new ClientConnection(new URL(url));
    this.#all.add(connection);
    const sentAt = performance.now();
    const { promise: isTooLate, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => reject(new Error('The client gave up.')), timeoutMs);
    try {
      const { status, bodies, wholeMs } = await Promise.race([connection.send(request), isTooLate]);
      const body = JSON.parse(bodies[0] ?? '') as {
        errors?: readonly { extensions?: { code?: string } }[];
        extensions?: { tributary?: { stale?: unknown } };
      };
      tally.latencies.push(wholeMs);
      this.#idle.push(connection);
      if (status === 200 && body.errors === undefined) {
        tally.good += 1;
        if (body.extensions?.tributary?.stale !== undefined) tally.stale += 1;
        return;
      }
      const code = body.errors?.[0]?.extensions?.code ?? `status ${status}`;
      tally.failures[code] = (tally.failures[code] ?? 0) + 1;
    } catch {
      connection.close();
      tally.failures['no response'] = (tally.failures['no response'] ?? 0) + 1;
      tally.latencies.push(Number.POSITIVE_INFINITY);
    } finally {
      clearTimeout(timer);
    }
    tally.lastFailureMs = Math.max(tally.lastFailureMs, sentAt - startedAt);
  }
}

async function run(job: ClientsJob): Promise<readonly ClassResult[]> {
  const clients = new Clients(job);
  const startedAt = performance.now();
  try {
    return await Promise.all(job.classes.map((one) => clients.run(startedAt, one)));
  } finally {
    clients.close();
  }
}

process.on('message', async (job: ClientsJob) => {
  const reply = await run(job).then(
    (classes): ClientsReply => ({ kind: 'result', classes }),
    (error: unknown): ClientsReply => ({ kind: 'failed', message: String(error) }),
  );
  process.send?.(reply);
});
