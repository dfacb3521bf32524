import { randomFillSync } from 'node:crypto';

export const traceIdBytes = 16;
export const spanIdBytes = 8;

/** The id of a trace as 32-bit integers: ids are written as bytes. */
export type TraceIdWords = readonly [number, number, number, number];

const randomWords = new Int32Array(4_096);
let nextWord = randomWords.length;

/** A random part of an id. A call of the random generator takes as long as many ids. */
export function randomIdWord(): number {
  if (nextWord === randomWords.length) {
    randomFillSync(randomWords);
    nextWord = 0;
  }
  return randomWords[nextWord++] as number;
}

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
    for (let index = 0; index < 4; index++) writeHex(traceId[index] as number, 3 + 8 * index);
    traceInBytes = traceId;
  }
  writeHex(idHigh, 36);
  writeHex(idLow, 44);
  bytes[54] = isSampled ? one : zero;
  return bytes.toString('latin1');
}

function writeHex(word: number, position: number): void {
  let rest = word;
  for (let at = position + 7; at >= position; at--) {
    bytes[at] = hexDigits[rest & 15] as number;
    rest >>>= 4;
  }
}

const hexDigits = Buffer.from('0123456789abcdef');
const [zero, one] = [0x30, 0x31] as const;
