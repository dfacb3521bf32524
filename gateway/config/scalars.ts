import { z } from 'zod';
import { formatDuration, longestDurationMs, parseDuration } from './duration.ts';
import { formatSize, parseSize } from './size.ts';

// Every option that is not a string also takes a string, so that `port: '${PORT:-4000}'` works: an
// environment variable has no other type. The JSON Schema for editors must let `${…}` through as well.
const reference = '\\$\\{';

interface Bounds {
  readonly min?: number;
  readonly max?: number;
}

interface NumberScalar extends Bounds {
  readonly expected: string;
  readonly pattern: string;
  readonly read: (text: string) => number | undefined;
}

function numberScalar({ expected, pattern, read, min = 0, max = Number.MAX_SAFE_INTEGER }: NumberScalar) {
  return z
    .union([z.number(), z.string()], { error: () => ({ message: 'has the wrong type', expected }) })
    .transform((input, context) => {
      const value = typeof input === 'number' ? input : read(input);
      if (value !== undefined && Number.isInteger(value) && value >= min && value <= max) return value;
      context.issues.push({ code: 'custom', input, message: 'is not valid', params: { expected } });
      return z.NEVER;
    })
    .meta({
      anyOf: [
        { type: 'integer', minimum: min, ...(max === Number.MAX_SAFE_INTEGER ? {} : { maximum: max }) },
        { type: 'string', pattern: `^${pattern}$|${reference}` },
      ],
    });
}

/** A whole number. */
export function integer({ min = 0, max }: Bounds = {}) {
  const range = max === undefined ? `of at least ${min}` : `from ${min} to ${max}`;
  return numberScalar({
    expected: `a whole number ${range}`,
    pattern: '\\d+',
    read: (text) => (/^\d+$/.test(text.trim()) ? Number(text) : undefined),
    min,
    ...(max === undefined ? {} : { max }),
  });
}

/** A duration: text with a unit, or a number of milliseconds. Milliseconds in the result. */
export function duration({ min = 0, max = longestDurationMs }: Bounds = {}) {
  const bounds = `at least ${formatDuration(min)}${max === longestDurationMs ? '' : `, at most ${formatDuration(max)}`}`;
  return numberScalar({
    expected: `a duration such as 250ms, 2s, 5m or 1h (${bounds})`,
    pattern: '\\d+(\\.\\d+)?(ms|s|m|h)',
    read: parseDuration,
    min,
    max,
  });
}

/** A size: text with a unit (steps of 1024), or a number of bytes. Bytes in the result. */
export function size({ min = 1, max }: Bounds = {}) {
  return numberScalar({
    expected: `a size such as 64KB, 1MB or 2GB (at least ${formatSize(min)})`,
    pattern: '\\d+(\\.\\d+)?(B|KB|MB|GB)',
    read: parseSize,
    min,
    ...(max === undefined ? {} : { max }),
  });
}

/** `true` or `false`. */
export function flag() {
  const expected = 'true or false';
  return z
    .union([z.boolean(), z.enum(['true', 'false'])], {
      error: () => ({ message: 'is not valid', expected }),
    })
    .transform((input) => input === true || input === 'true')
    .meta({ anyOf: [{ type: 'boolean' }, { type: 'string', pattern: reference }] });
}

/** One of a few words. */
export function choice<const Word extends string>(words: readonly Word[]) {
  return z.enum(words).meta({ anyOf: [{ enum: [...words] }, { type: 'string', pattern: reference }] });
}

interface TextRule {
  readonly expected: string;
  readonly isValid: (text: string) => boolean;
}

/** Text that follows a rule. */
export function text({ expected, isValid }: TextRule) {
  return z.string({ error: () => ({ message: 'has the wrong type', expected }) }).check((context) => {
    if (isValid(context.value)) return;
    context.issues.push({
      code: 'custom',
      input: context.value,
      message: 'is not valid',
      params: { expected },
    });
  });
}

/** The address of an HTTP endpoint. */
export function httpUrl() {
  return text({
    expected: 'an http:// or https:// address',
    isValid: (value) => /^https?:\/\//i.test(value) && URL.canParse(value),
  });
}

/** Text with at least one character. */
export function nonEmptyText(expected: string) {
  return text({ expected, isValid: (value) => value.trim() !== '' });
}
