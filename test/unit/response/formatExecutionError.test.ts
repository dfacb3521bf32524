import { expect, test } from '@jest/globals';
import { type ErrorCode, GatewayError, joinErrorMessages } from '../../../gateway/errors.ts';
import { formatExecutionError } from '../../../gateway/response/formatErrors.ts';

function messageOf(code: ErrorCode, cause: Error | undefined, exposeSubgraphErrors: boolean): string {
  const reason = new GatewayError(code, 'It failed.', { subgraph: 'reviews', cause });
  const policy = { exposeSubgraphErrors, exposeSubgraphs: false };
  return formatExecutionError({ reason, subgraph: 'reviews' } as never, ['a'], policy).message;
}

const refused = new Error('connect ECONNREFUSED 127.0.0.1:4001');

test('the cause of a failed call is shown to clients that see the errors of subgraphs', () => {
  expect(messageOf('SUBGRAPH_UNREACHABLE', refused, true)).toBe(`It failed. Cause: ${refused.message}`);
  expect(messageOf('SUBGRAPH_UNREACHABLE', refused, false)).toBe('It failed.');
  expect(messageOf('SUBGRAPH_TIMEOUT', undefined, true)).toBe('It failed.');
  expect(messageOf('INTERNAL_SERVER_ERROR', refused, true)).toBe('It failed.');
});

test('of a name with several addresses, each error is shown', () => {
  const addresses = new AggregateError([new Error('refused at ::1'), refused]);
  expect(messageOf('SUBGRAPH_UNREACHABLE', addresses, true)).toBe(
    `It failed. Cause: refused at ::1; ${refused.message}`,
  );
});

test('a cause without a message is not shown', () => {
  expect(messageOf('SUBGRAPH_UNREACHABLE', new Error(''), true)).toBe('It failed.');
});

test.each([
  ['an error', new Error('refused'), 'refused'],
  ['an error that is no instance of Error', { message: 'refused' }, 'refused'],
  ['a text', 'refused', 'refused'],
  ['nothing', undefined, 'undefined'],
  [
    'an error of Node for a connection without a file descriptor',
    new Error('connect EMFILE 127.0.0.1:4101 - Local (undefined:undefined)'),
    'connect EMFILE 127.0.0.1:4101',
  ],
  ['several errors', new AggregateError([new Error('a'), new Error(''), 'b']), 'a; b'],
  [
    'several errors with a message',
    new AggregateError([new AggregateError([refused])], 'no'),
    `no; ${refused.message}`,
  ],
])('the messages of %s are joined', (_, error, text) => {
  expect(joinErrorMessages(error)).toBe(text);
});
