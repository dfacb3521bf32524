import { type DestinationStream, type Logger, pino } from 'pino';

export type { Logger };

/** Lines of JSON on standard error, or to a destination of the caller's. Messages are fixed texts; what differs
 *  is in the fields. */
export function createLogger(level: string, destination?: DestinationStream): Logger {
  return pino({ level, base: null }, destination ?? pino.destination({ dest: 2, sync: true }));
}
