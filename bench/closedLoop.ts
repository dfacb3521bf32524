import { isDeepStrictEqual } from 'node:util';
import { HttpConnection, requestBytes } from './httpConnection.ts';
import { percentile } from './percentile.ts';
import { busyMs, treeCpuMs, treePeakRssMib } from './processTree.ts';

/** Each connection sends its next request when the response to its last one is complete. */
export interface ClosedLoopJob {
  readonly kind: 'closed-loop';
  readonly url: string;
  readonly query: string;
  /** The `data` of every response. */
  readonly expected: unknown;
  readonly connections: number;
  readonly warmUpMs: number;
  readonly measureMs: number;
  /** The root of the target's process tree. */
  readonly targetPid: number;
  /** The core that the target is pinned to. */
  readonly targetCore?: number;
  /** Where the subgraphs report their request counts. */
  readonly subgraphAdmin: string;
}

export interface ClosedLoopResult {
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly cpuMsPerRequest: number;
  readonly subgraphRequestsPerRequest: number;
  readonly peakRssMib: number;
  /** The time that other processes took on the target's core, in percent. Above a few percent, the round says little.
   *  Absent if the target is not pinned to a core. */
  readonly foreignLoadPercent?: number;
  /** Responses with a status other than 200 or with wrong data. */
  readonly wrongAnswers: number;
  /** The start of the first wrong response. */
  readonly wrongAnswer?: string;
}

/** The number of different texts of a correct response that are stored. Benchmarks accept any order of keys, although
 *  the specification does not. */
const maxKnownForms = 50;

const maxReportedAnswerChars = 1000;

export async function runClosedLoop(job: ClosedLoopJob): Promise<ClosedLoopResult> {
  const request = requestBytes({ url: job.url, query: job.query, headers: { accept: 'application/json' } });
  const check = new AnswerCheck(job.expected);
  const latencies: number[] = [];
  let measuring = false;
  let wrongAnswers = 0;
  let wrongAnswer: string | undefined;
  let failure: Error | undefined;

  const connections = Array.from({ length: job.connections }, () => {
    let sentAt = 0;
    let status = 0;
    let chunks: Buffer[] = [];
    const connection = new HttpConnection(new URL(job.url), {
      onHead(received) {
        status = received;
        chunks = [];
      },
      onBody(chunk) {
        chunks.push(chunk);
      },
      onEnd() {
        const now = performance.now();
        if (measuring) {
          latencies.push(now - sentAt);
          if (status !== 200 || !check.isCorrect(chunks)) {
            wrongAnswers++;
            wrongAnswer ??= `${status} ${Buffer.concat(chunks).toString().slice(0, maxReportedAnswerChars)}`;
          }
        }
        send();
      },
      onFailure(error) {
        failure ??= error;
      },
    });
    const send = () => {
      sentAt = performance.now();
      connection.send(request);
    };
    send();
    return connection;
  });

  try {
    await elapse(job.warmUpMs);
    const countBefore = await subgraphRequests(job.subgraphAdmin);
    const cpuBefore = treeCpuMs(job.targetPid);
    const busyBefore = busyOf(job.targetCore);
    const startedAt = performance.now();
    measuring = true;
    await elapse(job.measureMs);
    measuring = false;
    const seconds = (performance.now() - startedAt) / 1000;
    const cpuMs = treeCpuMs(job.targetPid) - cpuBefore;
    const foreignMs = busyOf(job.targetCore) - busyBefore - cpuMs;
    const subgraphCount = (await subgraphRequests(job.subgraphAdmin)) - countBefore;
    if (failure) throw failure;
    if (latencies.length === 0) throw new Error('No response arrived within the measured time');
    latencies.sort((a, b) => a - b);
    return {
      requestsPerSecond: latencies.length / seconds,
      p50Ms: percentile(latencies, 50),
      p99Ms: percentile(latencies, 99),
      cpuMsPerRequest: cpuMs / latencies.length,
      subgraphRequestsPerRequest: subgraphCount / latencies.length,
      peakRssMib: treePeakRssMib(job.targetPid),
      ...(job.targetCore === undefined
        ? {}
        : { foreignLoadPercent: Math.max(0, foreignMs / (seconds * 10)) }),
      wrongAnswers,
      ...(wrongAnswer === undefined ? {} : { wrongAnswer }),
    };
  } finally {
    for (const connection of connections) connection.close();
  }
}

/** Compares every response with the texts that were parsed and found correct before. Comparing bytes is cheap,
 *  parsing JSON is not. */
class AnswerCheck {
  readonly #expected: unknown;
  readonly #forms: Buffer[] = [];

  constructor(expected: unknown) {
    this.#expected = expected;
  }

  isCorrect(chunks: readonly Buffer[]): boolean {
    if (this.#forms.some((form) => hasBytes(form, chunks))) return true;
    const bytes = Buffer.concat(chunks);
    const isRight = this.#isExpected(bytes);
    if (isRight && this.#forms.length < maxKnownForms) this.#forms.push(bytes);
    return isRight;
  }

  #isExpected(bytes: Buffer): boolean {
    try {
      const { data, errors } = JSON.parse(bytes.toString()) as { data?: unknown; errors?: unknown };
      return errors === undefined && isDeepStrictEqual(data, this.#expected);
    } catch {
      return false;
    }
  }
}

function hasBytes(form: Buffer, chunks: readonly Buffer[]): boolean {
  let offset = 0;
  for (const chunk of chunks) {
    const end = offset + chunk.length;
    if (end > form.length || chunk.compare(form, offset, end) !== 0) return false;
    offset = end;
  }
  return offset === form.length;
}

async function subgraphRequests(admin: string): Promise<number> {
  const response = await fetch(`${admin}/counts`);
  const counts = (await response.json()) as Record<string, number>;
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}

function busyOf(core: number | undefined): number {
  return core === undefined ? 0 : busyMs(core);
}

function elapse(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
