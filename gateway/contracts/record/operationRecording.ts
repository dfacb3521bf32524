import type { GatewayConfig } from '../../config/schema.ts';
import type { OperationRequest } from '../../operation/request.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { Timers } from '../../time/timers.ts';
import { clientOf } from './clientOf.ts';
import { OperationRecorder } from './operationRecorder.ts';

/** What the pipeline tells. */
export interface OperationRecording {
  /** Never throws, and never waits. */
  onPrepared(request: Pick<OperationRequest, 'document' | 'operationName' | 'headers'>): void;
  /** Writes what still waits. */
  close(): Promise<void>;
}

export interface RecordingParts {
  readonly log: Logger;
  readonly timers: Timers;
  /** Milliseconds since 1970. */
  now(): number;
}

/** `undefined` where `contracts.record` is not enabled. */
export function createOperationRecording(
  { contracts: { record } }: Pick<GatewayConfig, 'contracts'>,
  { log, timers, now }: RecordingParts,
): OperationRecording | undefined {
  if (!record.enabled) return undefined;
  const { directory } = record;
  const headers = { names: record.clientNameHeaders, versions: record.clientVersionHeaders };
  const recorder = new OperationRecorder({
    directory,
    limits: record,
    timers,
    now,
    onError: (err) => log.error({ err, directory }, 'Operations cannot be recorded'),
    onFull: (limit) =>
      log.warn({ directory, limit, value: record[limit] }, 'No more operations are recorded'),
  });
  return {
    onPrepared({ document, operationName, headers: sent }) {
      const { name, version } = clientOf(sent, headers);
      recorder.record({ document, operationName, clientName: name, clientVersion: version });
    },
    close: () => recorder.close(),
  };
}
