import type { GatewayConfig } from '../../config/schema.ts';
import type { OperationRequest } from '../../operation/operationRequest.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { Timers } from '../../time/timers.ts';
import { OperationRecorder } from './operationRecorder.ts';

/** Records the operations of the gateway. */
export interface RecordingHook {
  /** Must not throw or block. */
  onOperation(request: Pick<OperationRequest, 'document' | 'operationName' | 'headers'>): void;
  /** Writes the queued operations. */
  close(): Promise<void>;
}

interface RecordingDependencies {
  readonly log: Logger;
  readonly timers: Timers;
  /** Milliseconds since 1970. */
  now(): number;
}

/** Creates the hook; `undefined` unless `contracts.record.enabled`. */
export function createRecordingHook(
  { contracts: { record } }: Pick<GatewayConfig, 'contracts'>,
  { log, timers, now }: RecordingDependencies,
): RecordingHook | undefined {
  if (!record.enabled) return undefined;
  const { directory } = record;
  const headers = { names: record.clientNameHeaders, versions: record.clientVersionHeaders };
  const recorder = new OperationRecorder({
    directory,
    limits: record,
    timers,
    now,
    onError: (err) => log.error({ err, directory }, 'Operations cannot be recorded (contracts.record)'),
    onLimitReached: (limit) =>
      log.warn(
        { directory, limit, value: record[limit] },
        'A limit of contracts.record is reached: no more operations are recorded',
      ),
  });
  return {
    onOperation({ document, operationName, headers: sent }) {
      const { name, version } = clientOf(sent, headers);
      recorder.record({ document, operationName, clientName: name, clientVersion: version });
    },
    close: () => recorder.close(),
  };
}

interface ClientHeaders {
  /** Header names in lower case. The first header with a value is used. */
  readonly names: readonly string[];
  readonly versions: readonly string[];
}

/** The client's own claim. Nothing verifies it. */
interface Client {
  readonly name: string | undefined;
  readonly version: string | undefined;
}

function clientOf(headers: ReadonlyMap<string, string>, { names, versions }: ClientHeaders): Client {
  return { name: firstOf(headers, names), version: firstOf(headers, versions) };
}

function firstOf(headers: ReadonlyMap<string, string>, names: readonly string[]): string | undefined {
  for (const name of names) {
    const value = headers.get(name)?.trim();
    if (value !== undefined && value !== '') return value;
  }
  return undefined;
}
