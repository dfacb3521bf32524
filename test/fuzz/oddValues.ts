import type { Random } from '../../subgraphs/shared/random.ts';

/** Names of inherited object properties, and names with a meaning in JavaScript, GraphQL or the gateway. */
export const oddNames = [
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'valueOf',
  'hasOwnProperty',
  '__typename',
  '__defineGetter__',
  'then',
  'toJSON',
  'length',
  '_entities',
  '_e0',
  'representations',
  'id',
  'on',
  'null',
  'true',
] as const;

/** Valid JSON texts that are rarely valid values. */
const oddScalars = [
  'null',
  'true',
  'false',
  '0',
  '-0',
  '1',
  '-1',
  '2147483648',
  '-2147483649',
  '9007199254740993',
  '1e400',
  '-1e400',
  '1e-400',
  '0.1',
  '123456789012345678901234567890',
  '""',
  '"0"',
  '"true"',
  '"null"',
  '"\\u0000"',
  '"\\ud800"',
  '"\\udc00\\ud800"',
  '"\\u2028</script>"',
  '"😀"',
  '"constructor"',
  '"__proto__"',
] as const;

/** JSON text of any value. `{"polluted":…}` below `__proto__` appears in every object if it is merged carelessly. */
export function createOddJson(random: Random, depth = 2): string {
  if (random.chance(0.04)) {
    const levels = random.pick([90, 4_000, 100_000]);
    return '['.repeat(levels) + ']'.repeat(levels);
  }
  if (random.chance(0.03)) return `"${'x'.repeat(random.integer(1_000, 40_000))}"`;
  if (random.chance(0.06)) return '{"__proto__":{"polluted":true}}';
  if (random.chance(0.04)) return '{"constructor":{"prototype":{"polluted":true}}}';
  if (depth === 0 || random.chance(0.6)) return random.pick(oddScalars);
  const length = random.integer(0, 4);
  const inner = Array.from({ length }, () => createOddJson(random, depth - 1));
  return random.chance(0.5)
    ? `[${inner.join()}]`
    : `{${inner.map((value) => `${JSON.stringify(random.pick(oddNames))}:${value}`).join()}}`;
}

/** Changes, removes, repeats or inserts some bytes. */
export function corruptBytes(random: Random, bytes: Buffer): Buffer {
  const at = random.integer(0, bytes.length);
  const to = Math.min(bytes.length, at + random.integer(1, 12));
  const [before, hit, after] = [bytes.subarray(0, at), bytes.subarray(at, to), bytes.subarray(to)];
  switch (random.integer(0, 6)) {
    case 0:
      return Buffer.from(before);
    case 1:
      return Buffer.concat([before, after]);
    case 2:
      return Buffer.concat([before, hit, hit, after]);
    case 3:
      return Buffer.concat([before, Buffer.from([random.integer(0, 255)]), after]);
    case 4:
      return Buffer.concat([before, Buffer.from(random.pick(brokenUtf8)), hit, after]);
    case 5:
      return Buffer.concat([before, Buffer.from(random.pick(insertions)), hit, after]);
    default:
      return Buffer.concat([after, hit, before]);
  }
}

/** A lone continuation, an overlong slash, half a surrogate pair, a cut sequence, a byte that never occurs. */
const brokenUtf8 = [[0x80], [0xc0, 0xaf], [0xed, 0xa0, 0x80], [0xf0, 0x9f, 0x98], [0xff]];
const insertions = ['\u0000', '\ufeff', '"', '\\', '{', '}', '[', ']', ',', ':', '\n', 'NaN', '/*', '1e9'];
