import { describe, expect, test } from '@jest/globals';
import { parseJson } from '../../../gateway/transport/http/readBody.ts';

/** A body that is parsed in slices. */
const large = (text: string): Buffer => Buffer.from(`${text}${' '.repeat(200_000)}`);

const refusalOf = async (bytes: Buffer): Promise<string> => {
  try {
    await parseJson(bytes);
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error('The body is accepted.');
};

describe('parseJson', () => {
  test('parses a small body at once and a large one in slices, with the same value', async () => {
    const members = Array.from({ length: 20_000 }, (_, n) => [`key${n}`, [n, 'é"\\', { nested: null }]]);
    const text = `\uFEFF{"exact":12345678901234567890,"members":${JSON.stringify(Object.fromEntries(members))}}`;
    const small = parseJson(Buffer.from('\uFEFF{"exact":12345678901234567890,"members":{}}'));
    const pending = parseJson(Buffer.from(text));
    expect(pending).toBeInstanceOf(Promise);
    const { exact, ...others } = (await pending) as { readonly exact: unknown };
    expect(exact).toEqual((small as typeof others & { readonly exact: unknown }).exact);
    expect(JSON.stringify(exact)).toBe('12345678901234567890');
    expect(others).toEqual({ members: Object.fromEntries(members) });
  });

  test.each([
    [
      large('{"a":[1,\n2,]}'),
      'The request body is not valid JSON: unexpected "]" at position 11 (line 2, column 3).',
    ],
    [
      large('{"a":"'),
      'The request body is not valid JSON: unexpected end of the text at position 200006 (line 1, column 200007).',
    ],
    [Buffer.from('['.repeat(200_000)), 'The request body is refused: it is nested deeper than 1000 levels'],
    [
      Buffer.from(`[${`${'1,'.repeat(999)}12345678901234567,`.repeat(150)}1]`),
      'The request body is refused: it has a number of more than 15 digits, and more than 100000 values. Send such numbers as strings, or fewer values.',
    ],
  ])('says what is wrong with a large body', async (bytes, message) => {
    expect(await refusalOf(bytes)).toBe(message);
  });
});
