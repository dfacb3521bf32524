import { isDeepStrictEqual } from 'node:util';
import { ClientConnection, type Received } from './clientConnection.ts';
import { requestBytes } from './httpConnection.ts';
import { mergedData, type Payload } from './multipart.ts';
import { percentile } from './percentile.ts';

/** Requests start at a fixed rate, however long their responses take. Otherwise slow responses would reduce the load
 *  that the other requests meet. */
export interface FirstPayloadJob {
  readonly kind: 'first-payload';
  readonly url: string;
  readonly query: string;
  /** Whether the response has several payloads (`multipart/mixed`). */
  readonly incremental: boolean;
  /** The complete `data`, with all payloads merged. */
  readonly expected: unknown;
  readonly requestsPerSecond: number;
  readonly measureMs: number;
}

export interface FirstPayloadResult {
  readonly requests: number;
  readonly firstP50Ms: number;
  readonly firstP99Ms: number;
  readonly wholeP50Ms: number;
  readonly wholeP99Ms: number;
  readonly wrongAnswers: number;
  /** The payloads of the first wrong response. */
  readonly wrongAnswer?: string;
}

/** Longer than every default deadline of a gateway. */
const answerTimeoutMs = 30_000;

interface Exchange {
  readonly firstMs: number;
  readonly wholeMs: number;
  /** The response, if it is not the expected one. */
  readonly wrongAnswer?: string;
}

export async function runFirstPayload(job: FirstPayloadJob): Promise<FirstPayloadResult> {
  const accept = job.incremental ? 'multipart/mixed; deferSpec=20220824' : 'application/json';
  const request = requestBytes({ url: job.url, query: job.query, headers: { accept } });
  const idle: ClientConnection[] = [];
  const all: ClientConnection[] = [];
  const exchanges: Promise<Exchange>[] = [];
  const count = Math.round((job.requestsPerSecond * job.measureMs) / 1000);
  const startedAt = performance.now();
  try {
    for (let index = 0; index < count; index++) {
      const wait = startedAt + (index * 1000) / job.requestsPerSecond - performance.now();
      if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
      // A target closes connections that were idle for a while.
      let client = idle.pop();
      while (client?.isOpen === false) client = idle.pop();
      if (!client) {
        client = new ClientConnection(new URL(job.url));
        all.push(client);
      }
      const used = client;
      const exchange = used.send(request).then((received) => {
        idle.push(used);
        return check(received, job);
      });
      // Handled below, after all requests were sent.
      exchange.catch(() => {});
      exchanges.push(exchange);
    }
    return summary(await Promise.race([Promise.all(exchanges), rejectAfterTimeout()]));
  } finally {
    for (const client of all) client.close();
  }
}

/** Rejects if a response begins and does not end. */
async function rejectAfterTimeout(): Promise<never> {
  await new Promise((resolve) => setTimeout(resolve, answerTimeoutMs).unref());
  throw new Error(`Responses were incomplete ${answerTimeoutMs} ms after the last request`);
}

function summary(exchanges: readonly Exchange[]): FirstPayloadResult {
  const first = exchanges.map(({ firstMs }) => firstMs).sort((a, b) => a - b);
  const whole = exchanges.map(({ wholeMs }) => wholeMs).sort((a, b) => a - b);
  const wrongAnswers = exchanges.map(({ wrongAnswer }) => wrongAnswer).filter((text) => text !== undefined);
  const [wrongAnswer] = wrongAnswers;
  return {
    requests: exchanges.length,
    firstP50Ms: percentile(first, 50),
    firstP99Ms: percentile(first, 99),
    wholeP50Ms: percentile(whole, 50),
    wholeP99Ms: percentile(whole, 99),
    wrongAnswers: wrongAnswers.length,
    ...(wrongAnswer === undefined ? {} : { wrongAnswer }),
  };
}

function check({ bodies, firstMs, wholeMs }: Received, { expected }: FirstPayloadJob): Exchange {
  const payloads = bodies.map((body) => JSON.parse(body) as Payload);
  const isRight = isDeepStrictEqual(mergedData(payloads), expected);
  return { firstMs, wholeMs, ...(isRight ? {} : { wrongAnswer: bodies.join('\n') }) };
}
