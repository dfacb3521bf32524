/** Two integers below 2^64. The first one is a time in milliseconds by default. */
const idPattern = /^(0|[1-9]\d{0,19})-(0|[1-9]\d{0,19})$/;

/** The id before every entry. */
export const firstStreamId = '0-0';

const maxIdPart = 2n ** 64n - 1n;

/** Whether the text is a valid id of a stream entry. */
export function isStreamId(text: string): boolean {
  return idPattern.test(text) && parseStreamId(text).every((part) => part <= maxIdPart);
}

/** Whether an id is larger than another one of the same stream. */
export function isLaterId(id: string, other: string): boolean {
  const [[time, number], [otherTime, otherNumber]] = [parseStreamId(id), parseStreamId(other)];
  return time === otherTime ? number > otherNumber : time > otherTime;
}

/** The smallest id after this one, because Redis 5 has no exclusive ranges. An empty string after the largest id. */
export function nextId(id: string): string {
  const [time, number] = parseStreamId(id);
  if (number < maxIdPart) return `${time}-${number + 1n}`;
  return time < maxIdPart ? `${time + 1n}-0` : '';
}

// Custom ids can be larger than the largest safe integer.
function parseStreamId(id: string): readonly [bigint, bigint] {
  const [time = '', number = ''] = id.split('-');
  return [BigInt(time), BigInt(number)];
}
