/** The id of an entry of a stream: two whole numbers below 2^64, the first one milliseconds by default. */
const idPattern = /^(0|[1-9]\d{0,19})-(0|[1-9]\d{0,19})$/;

/** Before every entry. */
export const firstStreamId = '0-0';

const maxIdPart = 2n ** 64n - 1n;

/** Whether Redis takes it for an id, too. */
export function isStreamId(text: string): boolean {
  return idPattern.test(text) && parseStreamId(text).every((part) => part <= maxIdPart);
}

/** Whether an entry comes after another one in its stream. */
export function isLaterId(id: string, other: string): boolean {
  const [[time, number], [otherTime, otherNumber]] = [parseStreamId(id), parseStreamId(other)];
  return time === otherTime ? number > otherNumber : time > otherTime;
}

/** The smallest id after this one: Redis 5 knows no range that leaves its beginning out. Empty after the largest id,
 *  which no entry can follow. */
export function nextId(id: string): string {
  const [time, number] = parseStreamId(id);
  if (number < maxIdPart) return `${time}-${number + 1n}`;
  return time < maxIdPart ? `${time + 1n}-0` : '';
}

// Larger than what a number holds exactly, where ids are not by the clock.
function parseStreamId(id: string): readonly [bigint, bigint] {
  const [time = '', number = ''] = id.split('-');
  return [BigInt(time), BigInt(number)];
}
