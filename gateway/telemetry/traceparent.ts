import { randomIdWord, writeHex } from './randomIds.ts';

export const traceIdBytes = 16;
export const spanIdBytes = 8;

/** The id of a trace as 32-bit integers: ids are written as bytes. */
export type TraceIdWords = readonly [number, number, number, number];

export function randomTraceId(): TraceIdWords {
  return [randomIdWord(), randomIdWord(), randomIdWord(), randomIdWord()];
}

/** Of a new trace that is not sampled: the gateway records nothing of it. */
export function newTraceparent(): string {
  return formatTraceparent(randomTraceId(), randomIdWord(), randomIdWord(), false);
}

const bytes = Buffer.from(`00-${'0'.repeat(32)}-${'0'.repeat(16)}-00`);
/** The trace whose id is in `bytes`. The spans of one request often follow each other. */
let traceInBytes: TraceIdWords | undefined;

/** `idHigh`, `idLow`: the id of a span. The text is made in one piece: each reader of one of several pieces would have to join
 *  them. */
export function formatTraceparent(
  traceId: TraceIdWords,
  idHigh: number,
  idLow: number,
  isSampled: boolean,
): string {
  if (traceId !== traceInBytes) {
    for (let index = 0; index < 4; index++) writeHex(bytes, 3 + 8 * index, 8, traceId[index] as number);
    traceInBytes = traceId;
  }
  writeHex(bytes, 36, 8, idHigh);
  writeHex(bytes, 44, 8, idLow);
  writeHex(bytes, 54, 1, isSampled ? 1 : 0);
  return bytes.toString('latin1');
}
