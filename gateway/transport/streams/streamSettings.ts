import type { Timers } from '../../time/timers.ts';

/** Settings of every stream to a client (`delivery` in the configuration). */
export interface StreamSettings {
  /** Bytes that may wait for a client that reads slowly. Beyond them, the stream pauses. */
  readonly bufferSize: number;
  /** Milliseconds without the client reading any of the waiting bytes, after which its connection is closed. */
  readonly readTimeoutMs: number;
  /** Bytes of all responses that may wait for the client of one connection, unless there is only one. See `UnreadBytes`. */
  readonly maxUnreadBytes: number;
  /** Longest silence on a stream, in milliseconds. */
  readonly heartbeatIntervalMs: number;
  readonly timers: Timers;
}
