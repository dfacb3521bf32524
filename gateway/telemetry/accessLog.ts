import { BatchedDestination } from './batchedDestination.ts';
import { LineBuffer } from './lineBuffer.ts';
import { type Logger, lineDestinationOf } from './logger.ts';
import type { OperationType, RequestOutcome } from './requestRecord.ts';

/** The fields of an access line, in their order. `undefined` ones are omitted. */
export interface AccessLine {
  readonly requestId: string;
  readonly traceId: string | undefined;
  readonly operation: string | undefined;
  readonly type: OperationType;
  readonly client: string | undefined;
  readonly clientVersion: string | undefined;
  readonly clientAddress: string | undefined;
  readonly status: number | undefined;
  readonly outcome: RequestOutcome;
  readonly firstPayloadMs: number | undefined;
  readonly durationMs: number;
  readonly subgraphMs: number;
  readonly bytes: number;
}

/** Returns what writes access lines to the log, at level `info`. The gateway's own log gets them as bytes: pino takes three
 *  times as long for a line of so many fields. An application's logger gets the fields, because it may have another form. */
export function createAccessLog(log: Logger): (line: AccessLine) => void {
  const destination = lineDestinationOf(log);
  if (destination === undefined) return (line) => log.info(line, accessLogMessage);
  const { worker } = log.bindings();
  const ofWorker = worker === undefined ? '' : `,"worker":${JSON.stringify(worker)}`;
  const idStart = `${ofWorker},"requestId":`;
  const add = (line: AccessLine, batch: LineBuffer): void => addLine(line, batch, idStart);
  if (destination instanceof BatchedDestination) return (line) => destination.writeBatched(line, add);
  const single = new LineBuffer();
  return (line) => {
    add(line, single);
    destination.write(single.take().toString());
  };
}

const accessLogMessage = 'request';

const infoLevel = 30;

/** Adds the line that pino would write. `idStart`: the text between the time and the id of the request. */
function addLine(line: AccessLine, batch: LineBuffer, idStart: string): void {
  const { traceId, operation, client, clientVersion, clientAddress, status, firstPayloadMs } = line;
  batch.ascii(lineStart);
  batch.number(Date.now());
  batch.ascii(idStart);
  batch.quoted(line.requestId);
  if (traceId !== undefined) {
    batch.ascii(',"traceId":');
    batch.quoted(traceId);
  }
  if (operation !== undefined) {
    batch.ascii(',"operation":');
    batch.quoted(operation);
  }
  batch.ascii(',"type":');
  batch.quoted(line.type);
  if (client !== undefined) {
    batch.ascii(',"client":');
    batch.quoted(client);
  }
  if (clientVersion !== undefined) {
    batch.ascii(',"clientVersion":');
    batch.quoted(clientVersion);
  }
  if (clientAddress !== undefined) {
    batch.ascii(',"clientAddress":');
    batch.quoted(clientAddress);
  }
  if (status !== undefined) {
    batch.ascii(',"status":');
    batch.number(status);
  }
  batch.ascii(',"outcome":');
  batch.quoted(line.outcome);
  if (firstPayloadMs !== undefined) {
    batch.ascii(',"firstPayloadMs":');
    batch.number(firstPayloadMs);
  }
  batch.ascii(',"durationMs":');
  batch.number(line.durationMs);
  batch.ascii(',"subgraphMs":');
  batch.number(line.subgraphMs);
  batch.ascii(',"bytes":');
  batch.number(line.bytes);
  batch.ascii(lineEnd);
}

const lineStart = `{"level":${infoLevel},"time":`;
const lineEnd = `,"msg":"${accessLogMessage}"}\n`;
