import type { Registry } from 'prom-client';
import { roundMs } from '../time/roundMs.ts';
import { type AccessLine, createAccessLog } from './accessLog.ts';
import { type ClientNameHeaders, readClientName } from './clientName.ts';
import type { Logger } from './logger.ts';
import type { OperationLabels } from './operationLabels.ts';
import { RequestMetrics } from './requestMetrics.ts';
import { type RecordedOperation, type RequestOutcome, RequestRecord } from './requestRecord.ts';
import { readTraceId } from './traceContext.ts';

interface RequestRecorderOptions {
  readonly registry: Registry;
  readonly labels: OperationLabels;
  readonly log: Logger;
  /** Whether each request gets a line in the log (`telemetry.accessLog`). */
  readonly logsRequests: boolean;
  readonly clientHeaders: ClientNameHeaders;
  readonly countStreams: () => number;
}

/** Records every operation of clients, over every transport, in metrics and in the access log. */
export class RequestRecorder {
  readonly #options: RequestRecorderOptions;
  readonly #metrics: RequestMetrics;
  readonly #writeAccessLine: (line: AccessLine) => void;
  #running = 0;

  constructor(options: RequestRecorderOptions) {
    this.#options = options;
    const { registry, log, countStreams } = options;
    this.#writeAccessLine = createAccessLog(log);
    this.#metrics = new RequestMetrics({ registry, countStreams, countRunning: () => this.#running });
  }

  /** Starts the record of a request. The transport must call its `finish`. */
  start(
    requestId: string,
    headers: ReadonlyMap<string, string>,
    clientAddress: string | undefined,
    startedAt = performance.now(),
  ): RequestRecord {
    this.#running += 1;
    return new RequestRecord({ requestId, headers, clientAddress, startedAt, onFinish: this.#onFinish });
  }

  readonly #onFinish = (record: RequestRecord, endedAt: number): void => {
    this.#running -= 1;
    const { startedAt, firstPayloadAt } = record;
    const { labels, log, logsRequests } = this.#options;
    const isLogged = logsRequests && log.isLevelEnabled('info');
    for (const operation of record.operations) {
      const { operationName, type } = operation;
      const outcome = operation.outcome ?? record.outcome ?? 'error';
      const firstPayloadMs = firstPayloadAt === undefined ? undefined : firstPayloadAt - startedAt;
      this.#metrics.record(labels.labelOf(operationName), type, outcome, endedAt - startedAt, firstPayloadMs);
      if (isLogged) this.#log(record, operation, outcome, endedAt);
    }
  };

  #log(
    record: RequestRecord,
    { operationName, type, traceId }: RecordedOperation,
    outcome: RequestOutcome,
    endedAt: number,
  ): void {
    const { requestId, headers, clientAddress, startedAt, firstPayloadAt, status, bytes } = record;
    const { name, version } = readClientName(headers, this.#options.clientHeaders);
    this.#writeAccessLine({
      requestId,
      // A request that is refused early has no context.
      traceId: traceId ?? record.traceId ?? readTraceId(headers),
      operation: operationName?.slice(0, maxLoggedLength),
      type,
      client: name?.slice(0, maxLoggedLength),
      clientVersion: version?.slice(0, maxLoggedLength),
      // A proxy may say an identifier of any length.
      clientAddress: clientAddress?.slice(0, maxLoggedLength),
      status,
      outcome,
      firstPayloadMs: firstPayloadAt === undefined ? undefined : roundMs(firstPayloadAt - startedAt),
      durationMs: roundMs(endedAt - startedAt),
      subgraphMs: roundMs(record.fetchingMsUntil(endedAt)),
      bytes,
    });
    // The lines of a batch add up to the bytes of its response.
    record.bytes = 0;
  }
}

/** Clients choose these texts. */
const maxLoggedLength = 128;
