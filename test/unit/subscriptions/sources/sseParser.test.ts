import { describe, expect, test } from '@jest/globals';
import { SseParser } from '../../../../gateway/subscriptions/sources/sseParser.ts';

/** What the parser reported for these chunks, in order. */
function parse(chunks: readonly (string | Buffer)[], maxEventBytes = 1000): string[] {
  const reported: string[] = [];
  const parser = new SseParser(maxEventBytes, {
    onEvent: (event, data) => reported.push(`${event}|${data.toString('utf8')}`),
    onComment: () => reported.push('comment'),
    onProblem: (problem) => reported.push(problem.message),
  });
  for (const chunk of chunks) parser.push(Buffer.from(chunk));
  return reported;
}

/** Pushes each byte as its own chunk. */
const bytewise = (text: string): Buffer[] => [...Buffer.from(text)].map((byte) => Buffer.from([byte]));

const stream = ':\n\nevent: next\ndata: {"a":"é€😀"}\n\n: still here\nevent:complete\ndata:\n\n';
const reported = ['comment', 'next|{"a":"é€😀"}', 'comment', 'complete|'];

describe('splitting into chunks', () => {
  test('parses one chunk', () => expect(parse([stream])).toEqual(reported));
  test('parses single bytes, with characters split between chunks', () =>
    expect(parse(bytewise(stream))).toEqual(reported));
  test('parses a stream that is split in two at every position', () => {
    const bytes = Buffer.from(stream);
    for (let cut = 0; cut <= bytes.length; cut++) {
      expect(parse([bytes.subarray(0, cut), bytes.subarray(cut)])).toEqual(reported);
    }
  });
  test('parses a chunk whose memory is overwritten after push', () => {
    const all: string[] = [];
    const parser = new SseParser(1000, {
      onEvent: (event, data) => all.push(`${event}|${data.toString('utf8')}`),
      onComment: () => {},
      onProblem: () => {},
    });
    parser.push(Buffer.from('data: firs'));
    parser.push(Buffer.from('t\n\ndata: second\n\nda'));
    parser.push(Buffer.from('ta: third\n\n'));
    expect(all).toEqual(['|first', '|second', '|third']);
  });
});

describe('line ends', () => {
  for (const [name, lineEnd] of [
    ['CRLF', '\r\n'],
    ['CR', '\r'],
  ] as const) {
    // After a CR at the end of the stream a LF may follow, but the line has ended.
    test(name, () => expect(parse([stream.replaceAll('\n', lineEnd)])).toEqual(reported));
    test(`parses ${name} in single bytes`, () =>
      expect(parse(bytewise(stream.replaceAll('\n', lineEnd)))).toEqual(reported));
  }
  test('parses a line end whose line feed arrives alone, before an empty line', () =>
    expect(parse(['data: a\r', '\n', '\n'])).toEqual(['|a']));
  test('parses mixed line ends', () =>
    expect(parse(['data:1\r\ndata:2\rdata:3\n\r\n'])).toEqual(['|1\n2\n3']));
});

describe('fields', () => {
  test.each([
    ['no space after the colon', 'data:x\n\n', ['|x']],
    ['only one space is removed', 'data:  x\n\n', ['| x']],
    ['several lines of data', 'data: 1\ndata:\ndata: 2\n\n', ['|1\n\n2']],
    ['a field without a colon', 'data\n\n', ['|']],
    ['a name without data', 'event: complete\n\n', ['complete|']],
    ['neither', 'id: 1\nretry: 5\nunknown: x\n\n\n\n', []],
    ['the last name', 'event: a\nevent: b\ndata: x\n\n', ['b|x']],
    ['a name holds for its own event only', 'event: a\ndata: 1\n\ndata: 2\n\n', ['a|1', '|2']],
    ['a byte order mark at the start', '\ufeffdata: x\n\n', ['|x']],
    ['an event that is not ended', 'data: x\n', []],
  ])('%s', (_, text, events) => {
    expect(parse([text])).toEqual(events);
    expect(parse(bytewise(text))).toEqual(events);
  });
});

describe('limits', () => {
  const problem = 'the event is larger than 20 bytes';
  test('accepts an event of the maximum size', () =>
    expect(parse([`data:${'x'.repeat(20)}\n\n`], 20)).toHaveLength(1));
  test('counts the data of each event by itself', () =>
    expect(parse(['data: 0123456789\n\n'.repeat(10)], 20)).toEqual(new Array(10).fill('|0123456789')));
  test('rejects an event one byte over the maximum', () =>
    expect(parse([`data:${'x'.repeat(21)}\n\n`], 20)).toEqual([problem]));
  test('rejects many lines over the limit', () =>
    expect(parse(['data:xxxxx\n'.repeat(4)], 20)).toEqual([problem]));
  test('rejects many empty data lines over the limit', () =>
    expect(parse(['data\n'.repeat(22)], 20)).toEqual([problem]));
  test('joins the data of very many lines', () =>
    expect(parse([`${'data:a\n'.repeat(5_000)}\n`], 10_000)).toEqual([
      `|${Array(5_000).fill('a').join('\n')}`,
    ]));
  test('rejects a line without an end at the limit', () =>
    expect(parse(Array(12).fill('x'.repeat(100)), 20)).toEqual([problem]));
  test('reports nothing after a problem', () =>
    expect(parse([`data:${'x'.repeat(21)}\n\ndata:1\n\n`, 'data:2\n\n'], 20)).toEqual([problem]));
});

test('reads nothing more after stop() within onEvent', () => {
  const events: string[] = [];
  const parser = new SseParser(100, {
    onEvent: (_, data) => {
      events.push(data.toString());
      parser.stop();
    },
    onComment: () => {},
    onProblem: () => {},
  });
  parser.push(Buffer.from('data:1\n\ndata:2\n\n'));
  parser.push(Buffer.from('data:3\n\n'));
  expect(events).toEqual(['1']);
});
