import { isDeepStrictEqual } from 'node:util';
import { HttpConnection, requestBytes } from './httpConnection.ts';
import { startInstructionCount } from './instructionCount.ts';
import { MultipartReader, mergedData, type Payload } from './multipart.ts';
import { percentile } from './percentile.ts';
import { busyMs, treeCpuMs, treePeakRssMib, treeRssMib } from './processTree.ts';

/** Each connection sends its next request when the response to its last one is complete. */
export interface ClosedLoopJob {
  readonly kind: 'closed-loop';
  readonly url: string;
  readonly query: string;
  readonly variables?: Readonly<Record<string, unknown>>;
  /** The `data` of every response. */
  readonly expected: unknown;
  /** Whether the response has several payloads (`multipart/mixed`). */
  readonly incremental?: boolean;
  /** Whether each request has an `authorization` of its own. */
  readonly identities?: boolean;
  /** Requests have this many different texts, in turn: a number in place of each `operationNumber` in `query`. */
  readonly operations?: number;
  readonly connections: number;
  /** Further connections, open during the second third of the measured time only. */
  readonly burstConnections?: number;
  /** Whether to count the instructions of the target, where the machine can. */
  readonly countsInstructions?: boolean;
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
  /** In user mode. Absent where the machine cannot count them. */
  readonly instructionsPerRequest?: number;
  readonly subgraphRequestsPerRequest: number;
  readonly peakRssMib: number;
  /** At the end of the measured time. Earlier results do not have it. */
  readonly rssMib?: number;
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

const placeholder = '{identity}';

/** As many digits as a number in its place has, so that all bodies have the same length. */
export const operationNumber = '000000';

/** The bytes of one request after the other. */
class Requests {
  readonly #bytes: Buffer;
  readonly #parts: readonly string[] | undefined;
  readonly #operations: number | undefined;
  #count = 0;

  constructor({ url, query, variables, incremental = false, identities = false, operations }: ClosedLoopJob) {
    const accept = incremental ? 'multipart/mixed; deferSpec=20220824' : 'application/json';
    const headers = identities ? { accept, authorization: `Bearer ${placeholder}` } : { accept };
    this.#bytes = requestBytes({ url, query, ...(variables === undefined ? {} : { variables }), headers });
    this.#operations = operations;
    const replaced = identities ? placeholder : operationNumber;
    const hasParts = identities || operations !== undefined;
    this.#parts = hasParts ? this.#bytes.toString().split(replaced) : undefined;
  }

  next(): Buffer {
    if (this.#parts === undefined) return this.#bytes;
    this.#count++;
    const value =
      this.#operations === undefined
        ? `client-${this.#count}`
        : String(this.#count % this.#operations).padStart(operationNumber.length, '0');
    return Buffer.from(this.#parts.join(value));
  }
}

export async function runClosedLoop(job: ClosedLoopJob): Promise<ClosedLoopResult> {
  const load = new Load(job);
  try {
    load.open(job.connections);
    await elapse(job.warmUpMs);
    const countBefore = await subgraphRequests(job.subgraphAdmin);
    const cpuBefore = treeCpuMs(job.targetPid);
    const busyBefore = busyMs(job.targetCore);
    const instructions = job.countsInstructions ? startInstructionCount(job.targetPid) : undefined;
    const startedAt = performance.now();
    load.isMeasured = true;
    await measure(load, job);
    load.isMeasured = false;
    const seconds = (performance.now() - startedAt) / 1000;
    const cpuMs = treeCpuMs(job.targetPid) - cpuBefore;
    const instructionCount = await instructions?.stop();
    const foreignMs = busyMs(job.targetCore) - busyBefore - cpuMs;
    const subgraphCount = (await subgraphRequests(job.subgraphAdmin)) - countBefore;
    const { latencies, failure, wrongAnswers, wrongAnswer } = load;
    if (failure) throw failure;
    if (latencies.length === 0) throw new Error('No response arrived within the measured time');
    latencies.sort((a, b) => a - b);
    return {
      requestsPerSecond: latencies.length / seconds,
      p50Ms: percentile(latencies, 50),
      p99Ms: percentile(latencies, 99),
      cpuMsPerRequest: cpuMs / latencies.length,
      ...(instructionCount === undefined
        ? {}
        : { instructionsPerRequest: instructionCount / latencies.length }),
      subgraphRequestsPerRequest: subgraphCount / latencies.length,
      peakRssMib: treePeakRssMib(job.targetPid),
      rssMib: treeRssMib(job.targetPid),
      ...(job.targetCore === undefined
        ? {}
        : { foreignLoadPercent: Math.max(0, foreignMs / (seconds * 10)) }),
      wrongAnswers,
      ...(wrongAnswer === undefined ? {} : { wrongAnswer }),
    };
  } finally {
    load.close();
  }
}

/** Waits for the measured time, and opens further connections in its second third, if the job has some. */
async function measure(load: Load, { measureMs, burstConnections }: ClosedLoopJob): Promise<void> {
  if (burstConnections === undefined) {
    await elapse(measureMs);
    return;
  }
  await elapse(measureMs / 3);
  const burst = load.open(burstConnections);
  await elapse(measureMs / 3);
  for (const connection of burst) connection.closeAfterResponse();
  await elapse(measureMs / 3);
}

interface LoadConnection {
  close(): void;
  closeAfterResponse(): void;
}

/** Connections that send one request after the other, and what is measured of the responses. */
class Load {
  readonly latencies: number[] = [];
  /** Whether responses count. */
  isMeasured = false;
  wrongAnswers = 0;
  wrongAnswer: string | undefined;
  failure: Error | undefined;
  readonly #url: URL;
  readonly #requests: Requests;
  readonly #check: AnswerCheck;
  readonly #connections: LoadConnection[] = [];

  constructor(job: ClosedLoopJob) {
    this.#url = new URL(job.url);
    this.#requests = new Requests(job);
    this.#check = new AnswerCheck(job.expected);
  }

  open(count: number): readonly LoadConnection[] {
    const opened = Array.from({ length: count }, () => this.#connect());
    this.#connections.push(...opened);
    return opened;
  }

  close(): void {
    for (const connection of this.#connections) connection.close();
  }

  #connect(): LoadConnection {
    let sentAt = 0;
    let status = 0;
    let head = '';
    let chunks: Buffer[] = [];
    let isClosing = false;
    const connection = new HttpConnection(this.#url, {
      onHead(receivedStatus, receivedHead) {
        status = receivedStatus;
        head = receivedHead;
        chunks = [];
      },
      onBody(chunk) {
        chunks.push(chunk);
      },
      onEnd: () => {
        if (this.isMeasured) this.#count(performance.now() - sentAt, status, head, chunks);
        if (isClosing) connection.close();
        else send();
      },
      onFailure: (error) => {
        this.failure ??= error;
      },
    });
    const send = () => {
      sentAt = performance.now();
      connection.send(this.#requests.next());
    };
    send();
    return {
      close: () => connection.close(),
      closeAfterResponse() {
        isClosing = true;
      },
    };
  }

  #count(latencyMs: number, status: number, head: string, chunks: readonly Buffer[]): void {
    this.latencies.push(latencyMs);
    if (status === 200 && this.#check.isCorrect(head, chunks)) return;
    this.wrongAnswers++;
    this.wrongAnswer ??= `${status} ${Buffer.concat(chunks).toString().slice(0, maxReportedAnswerChars)}`;
  }
}

const isMultipart = /\r\ncontent-type: *multipart\//i;

/** Compares every response with the texts that were parsed and found correct before. Comparing bytes is cheap,
 *  parsing JSON is not. */
class AnswerCheck {
  readonly #expected: unknown;
  readonly #forms: Buffer[] = [];

  constructor(expected: unknown) {
    this.#expected = expected;
  }

  isCorrect(head: string, chunks: readonly Buffer[]): boolean {
    if (this.#forms.some((form) => hasBytes(form, chunks))) return true;
    const bytes = Buffer.concat(chunks);
    const isRight = this.#isExpected(head, bytes);
    if (isRight && this.#forms.length < maxKnownForms) this.#forms.push(bytes);
    return isRight;
  }

  #isExpected(head: string, bytes: Buffer): boolean {
    try {
      const texts = isMultipart.test(head) ? new MultipartReader(head).push(bytes) : [bytes.toString()];
      const payloads = texts.map((text) => JSON.parse(text) as Payload);
      return isDeepStrictEqual(mergedData(payloads), this.#expected);
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

function elapse(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
