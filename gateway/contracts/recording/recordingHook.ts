import type { GatewayConfig } from '../../config/schema.ts';
import type { OperationRequest } from '../../operation/operationRequest.ts';
import { readClientName } from '../../telemetry/clientName.ts';
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
    onOperation({ document, operationName, headers }) {
      const { name, version } = readClientName(headers, record);
      recorder.record({ document, operationName, clientName: name, clientVersion: version });
    },
    close: () => recorder.close(),
  };
}
