import { type DestinationStream, type Logger, pino } from 'pino';

export type { Logger };

/** The log of the transport, for problems that clients must not see. */
export interface TransportLog {
  error(fields: Readonly<Record<string, unknown>>, message: string): void;
  warn(fields: Readonly<Record<string, unknown>>, message: string): void;
}

/** Creates a logger that writes lines of JSON to standard error, or to `destination`. Messages are fixed texts; variables
 *  are fields. */
export function createLogger(level: string, destination?: DestinationStream): Logger {
  return pino({ level, base: null }, destination ?? pino.destination({ dest: 2, sync: true }));
}
