import { type DestinationStream, type Logger, pino } from 'pino';
import { systemTimers } from '../time/timers.ts';
import { BatchedDestination } from './batchedDestination.ts';

export type { Logger };

type WriteLine = (fields: Readonly<Record<string, unknown>>, message: string) => void;

/** The log of the transport, for problems that clients must not see. */
export interface TransportLog {
  readonly error: WriteLine;
  readonly warn: WriteLine;
}

/** A log that also takes what the plugins of an application report. */
export interface PluginLog extends TransportLog {
  readonly info: WriteLine;
  readonly debug: WriteLine;
}

/** The options of the section `telemetry` that concern the log. */
interface LogSettings {
  readonly logLevel: string;
  readonly logFormat: 'json' | 'pretty';
}

/** Creates the logger of a configuration, which writes to standard error. `worker`: the name of this worker, which all of its
 *  lines have. */
export async function createConfiguredLogger(
  { logLevel, logFormat }: LogSettings,
  worker?: string,
): Promise<Logger> {
  const lines = standardError(worker !== undefined);
  return createLogger(logLevel, logFormat === 'pretty' ? await prettify(lines) : lines, worker);
}

/** Creates a logger that writes lines of JSON to standard error, or to `destination`. Messages are fixed texts; variables
 *  are fields. */
export function createLogger(
  level: string,
  destination: DestinationStream = standardError(),
  worker?: string,
): Logger {
  const base = worker === undefined ? null : { worker };
  const logger = pino({ level, base, serializers: errorSerializers }, destination);
  lineDestinations.set(logger, destination);
  return logger;
}

/** A logger of an application, for the lines of a gateway: it writes errors like `createLogger`. */
export function protectLogger(logger: Logger): Logger {
  const child = logger.child({}, { serializers: errorSerializers });
  const destination = lineDestinations.get(logger);
  if (destination !== undefined) lineDestinations.set(child, destination);
  return child;
}

const lineDestinations = new WeakMap<Logger, DestinationStream>();

/** Where a logger writes lines of JSON that begin with `level` and `time`. `undefined` for an application's logger, which
 *  may have another form. */
export function lineDestinationOf(logger: Logger): DestinationStream | undefined {
  return lineDestinations.get(logger);
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

/** An error as fields: what it is, and where it was thrown. Other properties are omitted, because they may be secrets: an
 *  error of graphql-js has the text of its operation, and one of ioredis the arguments of its command. */
function toErrorFields(error: unknown): Readonly<Record<string, unknown>> {
  if (typeof error === 'string') return { type: 'string', message: error };
  try {
    if (!isErrorLike(error)) return { type: typeof error };
    const chain = causesOf(error);
    const code = 'code' in error ? error.code : undefined;
    return {
      type: error.name,
      message: chain.map(({ message }) => hideQuotedJson(message)).join(': '),
      stack: chain.map(stackOf).join('\ncaused by: '),
      ...(typeof code === 'string' && { code }),
    };
  } catch {
    // A property of an error may be a getter that throws.
    return { type: typeof error };
  }
}

const errorSerializers = { err: toErrorFields, error: toErrorFields };

/** An error with its causes, at most ten. */
function causesOf(error: Error): Error[] {
  const chain = [error];
  while (chain.length < 10) {
    const { cause } = chain.at(-1) as Error;
    if (!isErrorLike(cause) || chain.includes(cause)) break;
    chain.push(cause);
  }
  return chain;
}

/** Errors of Node internals and of other threads may not be instances of this realm's `Error`. */
function isErrorLike(value: unknown): value is Error {
  return (
    typeof value === 'object' && value !== null && 'message' in value && typeof value.message === 'string'
  );
}

/** Hides what V8 quotes of a text that is not JSON: its beginning, which may be data or a body with secrets. */
export function hideQuotedJson(message: string): string {
  const start = message.indexOf(quoteStart);
  // Not by an expression: a subgraph may repeat the words in its message, and each would be compared with the rest of it.
  const end = start === -1 ? -1 : message.lastIndexOf(quoteEnd);
  if (end <= start + quoteStart.length) return message;
  return `${message.slice(0, start)}Unexpected token: it is not valid JSON${message.slice(end + quoteEnd.length)}`;
}

const quoteStart = 'Unexpected token ';
const quoteEnd = ' is not valid JSON';

function stackOf(error: Error): string {
  const { message, stack = '' } = error;
  return message === '' ? stack : stack.replace(message, () => hideQuotedJson(message));
}

let sharedStandardError: BatchedDestination | undefined;

/** Of lines that wait for space on a full disk, or for a reader that is slow. Further ones are dropped. */
const maxUnwrittenBytes = 8 * 1024 ** 2;

/** What the system writes to a pipe as a whole or not at all: PIPE_BUF of Linux. */
const maxAtomicBytes = 4096;

/** How often what waits is written again, if no further line is. */
const rewriteIntervalMs = 100;

/** How long the end of the process may be delayed by a reader that is slow. */
const lastWriteTimeoutMs = 1_000;

/** Divides lines into parts of at most `maxBytes`, at the ends of lines. A longer line is a part of its own. */
export function divideLines(lines: Buffer, maxBytes: number): readonly Buffer[] {
  const parts: Buffer[] = [];
  let start = 0;
  while (lines.length - start > maxBytes) {
    const last = lines.lastIndexOf('\n', start + maxBytes - 1);
    const end = 1 + (last < start ? lines.indexOf('\n', start) : last);
    parts.push(lines.subarray(start, end));
    start = end;
  }
  // Also without any line: what waits is then written.
  if (start < lines.length || start === 0) parts.push(lines.subarray(start));
  return parts;
}

// The process has one destination, because it must be flushed before the process exits. `isShared`: other workers write to
// it, too. Their lines would come between the parts of one that a pipe with too little space takes in two writes.
function standardError(isShared = false): DestinationStream {
  if (sharedStandardError === undefined) {
    let retriesUntil = 0;
    const stream = pino.destination({
      dest: 2,
      sync: true,
      contentMode: 'buffer',
      maxLength: maxUnwrittenBytes,
      ...(isShared ? { maxWrite: maxAtomicBytes } : {}),
      // A retry blocks the event loop, for as long as the reader of a full pipe reads nothing.
      retryEAGAIN: () => performance.now() < retriesUntil,
    });
    const write = (lines: Buffer): void => {
      // Its type does not know that it takes bytes in this mode.
      for (const part of isShared ? divideLines(lines, maxAtomicBytes) : [lines])
        stream.write(part as unknown as string);
    };
    let waitsToRewrite = false;
    const rewrite = (): void => {
      waitsToRewrite = false;
      write(Buffer.alloc(0));
    };
    // A full disk must not end the gateway. What could not be written is written before the next line.
    stream.on('error', () => {
      if (!waitsToRewrite) systemTimers.after(rewriteIntervalMs, rewrite);
      waitsToRewrite = true;
    });
    const destination = new BatchedDestination({ write }, systemTimers);
    process.once('exit', () => {
      retriesUntil = performance.now() + lastWriteTimeoutMs;
      destination.flush();
      rewrite();
    });
    sharedStandardError = destination;
  }
  return sharedStandardError;
}
