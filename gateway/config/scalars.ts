import { z } from 'zod';
import {
  durationMsOf,
  formatDuration,
  maxDurationMs,
  maxDurationText,
  parseWholeNumber,
} from './duration.ts';
import { isHttpUrl } from './isHttpUrl.ts';
import { isFalse, isTrue } from './isTrue.ts';
import { formatSize, parseSize } from './size.ts';

interface Scalar<Output> {
  /** Description of valid values, which follows "expected:" in messages. */
  readonly expected: string;
  /** Parses the input; `undefined` for invalid input. */
  readonly read: (input: unknown) => Output | undefined;
  /** The problem with an invalid input, as a predicate. Default: the value itself. */
  readonly problem?: (input: unknown) => string | undefined;
  /** The type in the reference and in hints of editors. */
  readonly title: string;
  /** JSON Schemas for editors. A valid value matches one of them. */
  readonly editorSchemas: readonly Record<string, unknown>[];
}

// Editors see the file before `${…}` is expanded.
const environmentReference = { type: 'string', pattern: '\\$\\{' };

/** A Zod schema of one value. It parses the value in one step, so that all problems are reported in the same form. */
export function scalar<Input, Output>({ expected, title, read, problem, editorSchemas }: Scalar<Output>) {
  return z
    .custom<Input>()
    .transform((input, context): Output => {
      const value = read(input);
      if (value !== undefined) return value;
      context.issues.push({
        code: 'custom',
        input,
        message: expected,
        params: { problem: problem?.(input) },
      });
      return z.NEVER;
    })
    .meta({ title, anyOf: [...editorSchemas, environmentReference] });
}

interface Bounds {
  readonly min?: number;
  readonly max?: number;
}

interface NumberScalar extends Bounds {
  readonly title: string;
  readonly expected: string;
  readonly pattern: string;
  readonly parse: (text: string) => number | undefined;
}

// Numbers and flags are also parsed from text, because environment variables are text: `port: '${PORT:-4000}'`.
function numberScalar({
  title,
  expected,
  pattern,
  parse,
  min = 0,
  max = Number.MAX_SAFE_INTEGER,
}: NumberScalar) {
  return scalar<number | string, number>({
    title,
    expected,
    read: (input) => {
      const value = typeof input === 'string' ? parse(input) : input;
      const isValid = typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max;
      return isValid ? value : undefined;
    },
    editorSchemas: [
      { type: 'integer', minimum: min, ...(max === Number.MAX_SAFE_INTEGER ? {} : { maximum: max }) },
      { type: 'string', pattern: `^${pattern}$` },
    ],
  });
}

/** An integer. */
export function integer({ min = 0, max }: Bounds = {}) {
  return numberScalar({
    title: 'integer',
    expected: `a whole number ${max === undefined ? `of at least ${min}` : `from ${min} to ${max}`}`,
    pattern: '\\d+',
    parse: parseWholeNumber,
    min,
    ...(max === undefined ? {} : { max }),
  });
}

/** A duration: text with a unit, or a number of milliseconds. The parsed value is in milliseconds. */
export function duration({ min = 0 }: { readonly min?: number } = {}) {
  return numberScalar({
    title: 'duration',
    expected: `a duration such as 250ms, 2s, 5m or 1h, ${min === 0 ? '' : `at least ${formatDuration(min)} and `}at most ${maxDurationText}`,
    pattern: '\\d+((\\.\\d+)?(ms|s|m|h|d))?',
    parse: durationMsOf,
    min,
    max: maxDurationMs,
  });
}

/** A size: text with a unit (steps of 1024), or a number of bytes. The parsed value is in bytes. */
export function size({ min = 1 }: { readonly min?: number } = {}) {
  return numberScalar({
    title: 'size',
    expected: `a size such as 64KB, 1MB or 2GB, at least ${formatSize(min)}`,
    pattern: '\\d+((\\.\\d+)?(B|KB|MB|GB))?',
    parse: (text) => parseWholeNumber(text) ?? parseSize(text),
    min,
  });
}

/** A ratio from 0 to 1. */
export function ratio({ isPositive = false }: { readonly isPositive?: boolean } = {}) {
  return scalar<number | string, number>({
    title: 'ratio',
    expected: isPositive ? 'a number above 0 and up to 1, such as 0.5' : 'a number from 0 to 1, such as 0.2',
    read: (input) => {
      const value = typeof input === 'string' && /^\d+(\.\d+)?$/.test(input.trim()) ? Number(input) : input;
      if (typeof value !== 'number' || (isPositive && value === 0)) return undefined;
      return value >= 0 && value <= 1 ? value : undefined;
    },
    editorSchemas: [
      { type: 'number', [isPositive ? 'exclusiveMinimum' : 'minimum']: 0, maximum: 1 },
      { type: 'string', pattern: '^\\d+(\\.\\d+)?$' },
    ],
  });
}

const retryReasons = ['connection', 'timeout', 429, 502, 503, 504] as const;

/** A reason to send a query again: a word, or an HTTP status. */
export function retryReason() {
  type Reason = (typeof retryReasons)[number];
  return scalar<Reason, Reason>({
    title: 'reason',
    expected: `one of ${retryReasons.join(', ')}`,
    read: (input) => retryReasons.find((reason) => reason === input || String(reason) === input),
    editorSchemas: [{ enum: retryReasons }],
  });
}

/** `true` or `false`. */
export function flag() {
  return scalar<boolean | 'true' | 'false', boolean>({
    title: 'boolean',
    expected: 'true or false',
    read: (input) => {
      if (isTrue(input)) return true;
      return isFalse(input) ? false : undefined;
    },
    editorSchemas: [{ type: 'boolean' }],
  });
}

/** One of the given words. */
export function choice<const Word extends string>(words: readonly Word[]) {
  return scalar<Word, Word>({
    title: words.join(', '),
    expected: `one of ${words.join(', ')}`,
    read: (input) => words.find((word) => word === input),
    editorSchemas: [{ enum: words }],
  });
}

interface TextRule {
  readonly title: string;
  readonly expected: string;
  readonly isValid: (text: string) => boolean;
}

/** Text that satisfies a rule. */
export function text({ title, expected, isValid }: TextRule) {
  return scalar<string, string>({
    title,
    expected,
    read: (input) => (typeof input === 'string' && isValid(input) ? input : undefined),
    editorSchemas: [{ type: 'string' }],
  });
}

/** Text without a rule. */
export function anyText(title = 'text', expected = 'text') {
  return text({ title, expected, isValid: () => true });
}

/** Text that is not blank. */
export function nonBlankText(expected: string) {
  return text({ title: 'text', expected, isValid: (value) => value.trim() !== '' });
}

/** The coordinate of a field, as the key of a record. */
export function fieldCoordinate(example: string) {
  return z
    .string()
    .regex(/^[_A-Za-z][_0-9A-Za-z]*\.[_A-Za-z][_0-9A-Za-z]*$/, `a field such as \`${example}\``);
}

/** Whether the value of a header can be sent. */
export function isHeaderValue(value: string): boolean {
  return /^[\t\x20-\x7e\x80-\xff]*$/.test(value);
}

/** The path of a PEM file. The content of one is refused, because paths are printed and logged. */
export function pemFile() {
  return text({
    title: 'path',
    expected: 'the path of a PEM file, or nothing',
    isValid: (value) => !value.includes('-----BEGIN'),
  });
}

/** The address of an HTTP endpoint. */
export function httpUrl() {
  return text({
    title: 'address',
    expected: 'an http:// or https:// address',
    isValid: isHttpUrl,
  });
}

/** The address of an HTTP endpoint to which paths are appended, or nothing. */
export function baseUrl() {
  return text({
    title: 'address',
    expected: 'an http:// or https:// address without ? and #, or nothing',
    isValid: (value) => value === '' || (isHttpUrl(value) && /^[^?#]+$/.test(value)),
  });
}
