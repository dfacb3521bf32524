import { newTraceparent } from './traceparent.ts';

/** The headers `traceparent` and `tracestate` of a trace, as name, value, name, value; empty without a trace. */
export type TraceHeaders = readonly string[];

export const noTrace: TraceHeaders = [];

/** The trace that a client's request belongs to, by W3C Trace Context. An invalid `traceparent` starts a new trace, and an
 *  invalid or long `tracestate` is dropped: both would reach every subgraph and its trace backend. `headers` has lower
 *  case names. */
export function readTraceHeaders(headers: ReadonlyMap<string, string>): TraceHeaders {
  if (headers.get('traceparent') === undefined) return noTrace;
  // The state belongs to the trace that cannot be continued.
  return readValidTraceHeaders(headers) ?? ['traceparent', newTraceparent()];
}

/** The same; `undefined` without a valid `traceparent`. */
export function readValidTraceHeaders(headers: ReadonlyMap<string, string>): TraceHeaders | undefined {
  const received = headers.get('traceparent');
  const traceparent = received === undefined ? undefined : readTraceparent(received);
  if (traceparent === undefined) return undefined;
  const tracestate = headers.get('tracestate');
  return tracestate !== undefined && isTracestate(tracestate)
    ? ['traceparent', traceparent, 'tracestate', tracestate]
    : ['traceparent', traceparent];
}

/** The id of the trace; `undefined` without one. */
export function traceIdOf([, traceparent]: TraceHeaders): string | undefined {
  return traceparent?.slice(3, 35);
}

/** The id of the trace that the client has sent; `undefined` without a valid `traceparent`. */
export function readTraceId(headers: ReadonlyMap<string, string>): string | undefined {
  return traceIdOf(readValidTraceHeaders(headers) ?? noTrace);
}

const traceparentPattern = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;

/** The text in version 00; `undefined` if it is invalid. Later versions only append fields, and of their flags only
 *  `sampled` is known. */
export function readTraceparent(text: string): string | undefined {
  const [, version, traceId, parentId, flags = '', more] = traceparentPattern.exec(text) ?? [];
  if (version === undefined || version === 'ff') return undefined;
  if (traceId === '0'.repeat(32) || parentId === '0'.repeat(16)) return undefined;
  if (version === '00') return more === undefined ? text : undefined;
  return `00-${traceId}-${parentId}-0${Number.parseInt(flags, 16) & 1}`;
}

/** Whether the trace is recorded where it comes from. */
export function isSampled(traceparent: string): boolean {
  return (Number.parseInt(traceparent.slice(53, 55), 16) & 1) === 1;
}

const maxTracestateLength = 512;
const maxTracestateMembers = 32;
const memberPattern =
  /^([a-z0-9][a-z0-9_*/-]{0,255}|[a-z0-9][a-z0-9_*/-]{0,240}@[a-z][a-z0-9_*/-]{0,13})=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$/;

function isTracestate(text: string): boolean {
  if (text.length > maxTracestateLength) return false;
  const members = text
    .split(',')
    .map((member) => member.replace(/^[ \t]+|[ \t]+$/g, ''))
    .filter((member) => member !== '');
  const keys = members.map((member) => memberPattern.exec(member)?.[1]);
  return (
    members.length > 0 &&
    members.length <= maxTracestateMembers &&
    !keys.includes(undefined) &&
    new Set(keys).size === keys.length
  );
}
