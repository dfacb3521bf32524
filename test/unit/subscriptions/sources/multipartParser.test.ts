import { describe, expect, test } from '@jest/globals';
import { MultipartParser } from '../../../../gateway/subscriptions/sources/multipartParser.ts';

/** What the parser reported for these chunks, in order. */
function parse(chunks: readonly (string | Buffer)[], maxPartBytes = 1000, boundary = 'graphql'): string[] {
  const reported: string[] = [];
  const parser = new MultipartParser(boundary, maxPartBytes, {
    onPart: (body) => reported.push(body.toString('utf8')),
    onEnd: () => reported.push('end'),
    onProblem: (problem) => reported.push(problem.message),
  });
  for (const chunk of chunks) parser.push(Buffer.from(chunk));
  return reported;
}

const bytewise = (text: string): Buffer[] => [...Buffer.from(text)].map((byte) => Buffer.from([byte]));

const part = (body: string): string => `\r\ncontent-type: application/json\r\n\r\n${body}\r\n--graphql`;
const stream = `\r\n--graphql${part('{"a":"é€"}')}${part('{}')}${part('{\n"b":\r\n2}')}--\r\n`;
const reported = ['{"a":"é€"}', '{}', '{\n"b":\r\n2}', 'end'];

describe('splitting into chunks', () => {
  test('parses one chunk', () => expect(parse([stream])).toEqual(reported));
  test('parses single bytes', () => expect(parse(bytewise(stream))).toEqual(reported));
  test('parses a stream that is split in two at every position', () => {
    const bytes = Buffer.from(stream);
    for (let cut = 0; cut <= bytes.length; cut++) {
      expect(parse([bytes.subarray(0, cut), bytes.subarray(cut)])).toEqual(reported);
    }
  });
  test('reports a part when the boundary after it has arrived, before the end of its line', () => {
    expect(parse([`--graphql${part('1')}`])).toEqual(['1']);
    expect(parse([`--graphql${part('1').slice(0, -1)}`])).toEqual([]);
  });
});

test('a boundary has at most 70 characters', () => {
  const parseWith = (boundary: string) => parse([stream.replaceAll('graphql', boundary)], 1000, boundary);
  expect(parseWith('b'.repeat(70))).toEqual(reported);
  expect(parseWith('b'.repeat(71))).toEqual(['the boundary is longer than 70 characters']);
});

describe('framing', () => {
  test.each([
    ['a first boundary that begins the body', `--graphql${part('1')}--`, ['1', 'end']],
    ['a preamble', `hello\r\n--graphql${part('1')}--`, ['1', 'end']],
    ['an epilogue', `--graphql${part('1')}--\r\n--graphql${part('2')}`, ['1', 'end']],
    ['bare line feeds', `--graphql${part('1')}--`.replaceAll('\r\n', '\n'), ['1', 'end']],
    ['blanks after a boundary', `--graphql \t\r\n\r\n1\r\n--graphql--`, ['1', 'end']],
    ['no headers', `--graphql\r\n\r\n1\r\n--graphql--`, ['1', 'end']],
    ['a boundary within a line', `--graphql\r\n\r\n"x--graphql"\r\n--graphql--`, ['"x--graphql"', 'end']],
    ['no parts', '--graphql--', ['end']],
    ['no end', `--graphql${part('1')}\r\n`, ['1']],
  ])('%s', (_, text, parts) => {
    expect(parse([text])).toEqual(parts);
    expect(parse(bytewise(text))).toEqual(parts);
  });

  test('rejects another boundary with the same beginning', () => {
    expect(parse(['--graphql\r\n\r\n1\r\n--graphql2\r\n'])).toEqual([
      '1',
      'a boundary is not followed by a line end',
    ]);
  });
});

describe('limits', () => {
  const tooLarge = 'the event is larger than 20 bytes';
  const sized = (size: number): string => `--graphql${part('x'.repeat(size))}--`;
  test('accepts an event of the maximum size', () => {
    expect(parse([sized(20)], 20)).toHaveLength(2);
    expect(parse(bytewise(sized(20)), 20)).toHaveLength(2);
  });
  test('counts the headers of each part by themselves', () => {
    const count = 300;
    expect(parse([`--graphql${part('1').repeat(count)}--`])).toEqual([...new Array(count).fill('1'), 'end']);
  });
  test('rejects an event one byte over the maximum', () => {
    expect(parse([sized(21)], 20)).toEqual([tooLarge]);
    expect(parse(bytewise(sized(21)), 20)).toEqual([tooLarge]);
  });
  test('rejects a part without an end at the limit', () =>
    expect(parse(['--graphql\r\n\r\n', 'x'.repeat(100), 'x'.repeat(100)], 20)).toEqual([tooLarge]));
  test('rejects a preamble without an end at the limit', () =>
    expect(parse(['x'.repeat(10_000)], 20)).toEqual([tooLarge]));
  test('rejects part headers without an end at the limit', () => {
    expect(parse(['--graphql\r\n', 'x'.repeat(10_000)])).toHaveLength(1);
    expect(parse(['--graphql\r\n', 'x: y\r\n'.repeat(5000)])).toEqual([
      'the headers of a part are longer than 8192 bytes',
    ]);
  });
});

test('reads nothing more after stop() within onPart', () => {
  const parts: string[] = [];
  const parser = new MultipartParser('graphql', 100, {
    onPart: (body) => {
      parts.push(body.toString());
      parser.stop();
    },
    onEnd: () => parts.push('end'),
    onProblem: () => {},
  });
  parser.push(Buffer.from(`--graphql${part('1')}${part('2')}--`));
  expect(parts).toEqual(['1']);
});
