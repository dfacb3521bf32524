import type { GraphQLScalarType } from 'graphql';

/** A number that a JavaScript number would change, such as a 64-bit integer or a long decimal, as its JSON text. It is
 *  immutable, and `JSON.stringify` writes the text. */
export interface RawNumber {
  readonly rawJSON: string;
}

type Reviver = (key: string, value: unknown) => unknown;

// TypeScript does not have them yet, nor the third parameter of revivers.
const { rawJSON, isRawJSON } = JSON as unknown as {
  rawJSON(text: string): RawNumber;
  isRawJSON(value: unknown): boolean;
};

/** JSON.parse without a loss of digits: a number that it would change becomes a `RawNumber`. Costs a look at every 16th
 *  character, unless the text has such a number. `keepsDecimals`: see `exactReviverFor`. */
export function parseExactJson(text: string, keepsDecimals = true): unknown {
  return JSON.parse(text, exactReviverFor(text, keepsDecimals));
}

/** The reviver for a text with numbers that JSON.parse would change; `undefined` for other texts, which are parsed several
 *  times as fast without one. `keepsDecimals`: decimals count too, not only integers. Many doubles have as many digits as
 *  those, and need a closer look. */
export function exactReviverFor(text: string, keepsDecimals = true): Reviver | undefined {
  const { length } = text;
  // Digits before it were examined.
  let floor = 0;
  for (let at = minLength - 1; at < length; at += minLength) {
    const code = text.charCodeAt(at);
    if (code > nine || !isPart(code, keepsDecimals)) continue;
    let start = at;
    while (start > floor && isPart(text.charCodeAt(start - 1), keepsDecimals)) start--;
    floor = at + 1;
    if (text[start - 1] === '-') start--;
    if (start > 0 && !beforeNumber.has(text[start - 1] as string)) continue;
    let end = floor;
    while (end < length && isPart(text.charCodeAt(end), keepsDecimals)) end++;
    if (end - start >= minLength && isChangedNumber(text, start, end, keepsDecimals))
      return reviveExactly as Reviver;
  }
  return undefined;
}

/** `exactReviverFor` a text of a client. JSON.parse takes half a second for 1 MB of small numbers with a reviver, and 10 ms
 *  without.
 *  @throws {JsonLimitError} for a text with a number that JSON.parse would change, and with very many values.
 *  @throws {SyntaxError} as JSON.parse. */
export function clientReviverFor(text: string): Reviver | undefined {
  const reviver = exactReviverFor(text);
  // A value takes two characters, such as `1,`.
  if (reviver === undefined || text.length <= 2 * maxRevivedValues) return reviver;
  if (countValues(JSON.parse(text)) <= maxRevivedValues) return reviver;
  throw tooManyValuesError();
}

/** Creates a function that parses the parts of a long text of a client. Keeps all digits, as `parseExactJson` does.
 *  The function @throws {JsonLimitError} when the parts that have a number to keep have very many values. */
export function createClientParser(): (part: string) => unknown {
  let values = 0;
  const reviveAndCount = (...parameters: Parameters<typeof reviveExactly>): unknown => {
    values += 1;
    if (values > maxRevivedValues) throw tooManyValuesError();
    return reviveExactly(...parameters);
  };
  return (part) => JSON.parse(part, exactReviverFor(part) && (reviveAndCount as Reviver));
}

/** Twice the default of `limits.variableValues`. */
const maxRevivedValues = 100_000;

/** A text that may be JSON, but is not parsed, because that would take too long. */
export class JsonLimitError extends Error {
  override readonly name = 'JsonLimitError';
}

function tooManyValuesError(): JsonLimitError {
  return new JsonLimitError(
    `it has a number of more than 15 digits, and more than ${maxRevivedValues} values. Send such numbers as strings, or fewer values.`,
  );
}

function countValues(value: unknown): number {
  let count = 1;
  const open = [value];
  while (open.length > 0) {
    const container = open.pop();
    if (typeof container !== 'object' || container === null) continue;
    for (const member of Object.values(container)) {
      count += 1;
      if (typeof member === 'object') open.push(member);
    }
  }
  return count;
}

/** Whether a text in UTF-8 has as many digits in a row as a number that JSON.parse would change. Takes a third of the time of
 *  `exactReviverFor`. */
export function mayHaveLongNumber(bytes: Uint8Array): boolean {
  const { length } = bytes;
  for (let at = minLength - 1; at < length; at += minLength) {
    if ((bytes[at] as number) > nine || !isPart(bytes[at] as number, true)) continue;
    let start = at;
    while (start > 0 && isPart(bytes[start - 1] as number, true)) start--;
    while (at < length && isPart(bytes[at] as number, true)) at++;
    if (at - start >= minLength) return true;
  }
  return false;
}

export function isRawNumber(value: unknown): value is RawNumber {
  return isRawJSON(value);
}

/** Whether a value can be an `ID` by its text. */
export function isRawInteger(value: unknown): value is RawNumber {
  return isRawNumber(value) && integerPattern.test(value.rawJSON);
}

/** A JavaScript number in place of a raw one. Other values are returned as they are. */
export function toNumber(value: unknown): unknown {
  return isRawNumber(value) ? Number(value.rawJSON) : value;
}

/** Serializes a value of a scalar type of GraphQL. @throws {GraphQLError} */
export function serializeScalar(type: GraphQLScalarType, value: unknown): unknown {
  if (!isRawNumber(value)) return type.serialize(value);
  const isText = type.name === 'String' || (type.name === 'ID' && isRawInteger(value));
  return isText ? value.rawJSON : type.serialize(toNumber(value));
}

/** Whether a number that begins with these characters is one that JSON.parse changes. */
function isChangedNumber(text: string, start: number, end: number, keepsDecimals: boolean): boolean {
  let number = text.slice(start, end);
  if (end < text.length && !afterNumber.has(text[end] as string)) {
    numberPattern.lastIndex = start;
    number = numberPattern.exec(text)?.[0] ?? '';
  }
  return (keepsDecimals || integerPattern.test(number)) && isRounded(Number(number), number);
}

const beforeNumber: ReadonlySet<string> = new Set([':', ',', '[', ' ', '\n', '\r', '\t']);
const afterNumber: ReadonlySet<string> = new Set([',', ']', '}', ' ', '\n', '\r', '\t']);
const integerPattern = /^-?\d+$/;
const numberPattern = /-?[\d.]+(?:e[+-]?\d+)?(?=[\s,\]}]|$)/iy;

function reviveExactly(_key: string, value: unknown, { source }: { readonly source?: string }): unknown {
  return typeof value === 'number' && source !== undefined && isRounded(value, source)
    ? rawJSON(source)
    : value;
}

/** Whether a JavaScript number does not keep all digits of a number in JSON. */
export function isRounded(value: number, text: string): boolean {
  return text.length >= minLength && text.length <= maxLength && String(value) !== text;
}

/** Whether a character is a digit, or the point of a decimal. */
function isPart(code: number, keepsDecimals: boolean): boolean {
  return (code >= 0x30 && code <= nine) || (keepsDecimals && code === 0x2e);
}

const nine = 0x39;

/** A JavaScript number keeps 15 digits of every number. */
const minLength = 16;
/** `stringifyInSlices` divides longer values. */
const maxLength = 10_000;
