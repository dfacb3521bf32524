import { type DestinationStream, type Logger, pino } from 'pino';
import { systemTimers } from '../time/timers.ts';
import { BatchedDestination } from './batchedDestination.ts';

export type { Logger };

/** The log of the transport, for problems that clients must not see. */
export interface TransportLog {
  error(fields: Readonly<Record<string, unknown>>, message: string): void;
  warn(fields: Readonly<Record<string, unknown>>, message: string): void;
}

/** The options of the section `telemetry` that concern the log. */
interface LogSettings {
  readonly logLevel: string;
  readonly logFormat: 'json' | 'pretty';
}

/** Creates the logger of a configuration, which writes to standard error. */
export async function createConfiguredLogger({ logLevel, logFormat }: LogSettings): Promise<Logger> {
  return createLogger(logLevel, logFormat === 'pretty' ? await prettify(standardError()) : undefined);
}

/** Creates a logger that writes lines of JSON to standard error, or to `destination`. Messages are fixed texts; variables
 *  are fields. */
export function createLogger(level: string, destination: DestinationStream = standardError()): Logger {
  return pino({ level, base: null }, destination);
}

/** A destination for lines of JSON, which writes lines for people to `destination`. */
export async function prettify(destination: DestinationStream): Promise<DestinationStream> {
  // Loaded on demand, because logs in production are JSON.
  const { prettyFactory } = await import('pino-pretty');
  const format = prettyFactory({
    colorize: process.stderr.isTTY === true && process.stderr.hasColors(),
    singleLine: true,
    translateTime: 'SYS:HH:MM:ss.l',
  });
  return { write: (line) => destination.write(format(line)) };
}

let sharedStandardError: BatchedDestination | undefined;

// One for the process, because it must be flushed before the process exits.
function standardError(): DestinationStream {
  if (sharedStandardError === undefined) {
    const destination = new BatchedDestination(pino.destination({ dest: 2, sync: true }), systemTimers);
    process.once('exit', () => destination.flush());
    sharedStandardError = destination;
  }
  return sharedStandardError;
}
