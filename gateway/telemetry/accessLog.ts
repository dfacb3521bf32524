import { BatchedDestination } from './batchedDestination.ts';
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
  readonly status: number | undefined;
  readonly outcome: RequestOutcome;
  readonly firstPayloadMs: number | undefined;
  readonly durationMs: number;
  readonly subgraphMs: number;
  readonly bytes: number;
}

/** Returns what writes access lines to the log, at level `info`. The gateway's own log gets them as text: pino takes three
 *  times as long for a line of so many fields. An application's logger gets the fields, because it may have another form. */
export function createAccessLog(log: Logger): (line: AccessLine) => void {
  const destination = lineDestinationOf(log);
  if (destination === undefined) return (line) => log.info(line, accessLogMessage);
  return destination instanceof BatchedDestination
    ? (line) => destination.writeBatched(toText(line))
    : (line) => destination.write(toText(line));
}

const accessLogMessage = 'request';

const infoLevel = 30;

/** The line that pino would write. */
function toText(line: AccessLine): string {
  const { requestId, traceId, operation, type, client, clientVersion } = line;
  const { status, outcome, firstPayloadMs, durationMs, subgraphMs, bytes } = line;
  return (
    `{"level":${infoLevel},"time":${Date.now()},"requestId":${JSON.stringify(requestId)}` +
    (traceId === undefined ? '' : `,"traceId":"${traceId}"`) +
    (operation === undefined ? '' : `,"operation":${JSON.stringify(operation)}`) +
    `,"type":"${type}"` +
    (client === undefined ? '' : `,"client":${JSON.stringify(client)}`) +
    (clientVersion === undefined ? '' : `,"clientVersion":${JSON.stringify(clientVersion)}`) +
    (status === undefined ? '' : `,"status":${status}`) +
    `,"outcome":"${outcome}"` +
    (firstPayloadMs === undefined ? '' : `,"firstPayloadMs":${firstPayloadMs}`) +
    `,"durationMs":${durationMs},"subgraphMs":${subgraphMs},"bytes":${bytes},"msg":"${accessLogMessage}"}\n`
  );
}
