import { describe, expect, test } from '@jest/globals';
import { GraphQLError, parse } from 'graphql';
import { type DestinationStream, pino } from 'pino';
import {
  createLogger,
  divideLines,
  hideQuotedJson,
  prettify,
  protectLogger,
} from '../../../gateway/telemetry/logger.ts';

test('a pretty log has the time, the level, the message and the fields on one line, and stacks of errors below', async () => {
  const lines: string[] = [];
  const log = createLogger('info', await prettify({ write: (line) => void lines.push(line) }));
  log.info({ supergraph: 'a1', subgraphs: ['products'] }, 'A new supergraph is in use');
  log.debug('not written');
  log.error(
    { err: Object.assign(new Error('broken'), { stack: 'Error: broken\n    at here' }) },
    'A fetch failed',
  );
  expect(lines.map((line) => line.replace(/\d\d:\d\d:\d\d\.\d{3}/, 'TIME'))).toEqual([
    '[TIME] INFO: A new supergraph is in use {"supergraph":"a1","subgraphs":["products"]}\n',
    [
      '[TIME] ERROR: A fetch failed ',
      '    err: {',
      '      "type": "Error",',
      '      "message": "broken",',
      '      "stack":',
      '          Error: broken',
      '              at here',
      '    }',
      '',
    ].join('\n'),
  ]);
});

describe('an error in the log', () => {
  function logError(err: unknown, log = createLogger): Record<string, unknown> {
    const lines: string[] = [];
    log('info', { write: (line) => void lines.push(line) }).error({ err }, 'broken');
    return JSON.parse(lines[0] ?? '').err;
  }

  const secret = 'secret-7';

  test.each<[string, unknown]>([
    ['the text of an operation', new GraphQLError('no', { nodes: parse(`{ a(b: "${secret}") }`) })],
    ['extensions', new GraphQLError('no', { extensions: { token: secret } })],
    ['the arguments of a command', Object.assign(new Error('no'), { command: { args: [secret] } })],
    ['several errors', new AggregateError([new Error(secret)], 'no')],
    ['a value that is no error', { token: secret }],
    ['what is not JSON', catchError(() => JSON.parse(`{"a": ${secret}}`))],
    ['what is not JSON, in a cause', new Error('no', { cause: catchError(() => JSON.parse(secret)) })],
    ['what is not JSON, of several lines', catchError(() => JSON.parse(`\n\n${secret}`))],
  ])('has nothing of %s', (_, err) => {
    expect(JSON.stringify(logError(err))).not.toContain(secret);
    const protectedLogger: typeof createLogger = (level, destination) =>
      protectLogger(pino({ level }, destination as DestinationStream));
    expect(JSON.stringify(logError(err, protectedLogger))).not.toContain(secret);
  });

  test('has the messages, the stacks and the code of the error and its causes', () => {
    const root = Object.assign(new TypeError('third'), { stack: 'TypeError: third\n    at c' });
    const cause = Object.assign(new Error('second', { cause: root }), { stack: 'Error: second\n    at b' });
    const error = Object.assign(new Error('first', { cause }), {
      stack: 'Error: first\n    at a',
      code: 'ENOENT',
    });
    root.cause = error;
    expect(logError(error)).toEqual({
      type: 'Error',
      message: 'first: second: third',
      stack:
        'Error: first\n    at a\ncaused by: Error: second\n    at b\ncaused by: TypeError: third\n    at c',
      code: 'ENOENT',
    });
  });
});

function catchError(run: () => unknown): unknown {
  try {
    return run();
  } catch (error) {
    return error;
  }
}

test('hiding quoted JSON takes time in proportion to a message that repeats its words', () => {
  const message = 'Unexpected token '.repeat(8_000);
  const before = process.cpuUsage();
  expect(hideQuotedJson(message)).toBe(message);
  // In microseconds. Reading the rest of the message for each of the words takes seconds.
  expect(process.cpuUsage(before).user).toBeLessThan(500_000);
  expect(hideQuotedJson(`a: ${message}"b" is not valid JSON, c`)).toBe(
    'a: Unexpected token: it is not valid JSON, c',
  );
});

test.each([
  ['', ['']],
  ['a\nbb\n', ['a\nbb\n']],
  ['a\nbb\nccc\n', ['a\nbb\n', 'ccc\n']],
  ['longer\na\nbb\nc\n', ['longer\n', 'a\nbb\n', 'c\n']],
  ['bb\nlonger\nlonger\n', ['bb\n', 'longer\n', 'longer\n']],
])('lines that several workers write are divided at their ends only: %j', (lines, parts) => {
  expect(divideLines(Buffer.from(lines), 5).map(String)).toEqual(parts);
});
