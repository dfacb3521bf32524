import { expect, test } from '@jest/globals';
import { createLogger, prettify } from '../../../gateway/telemetry/logger.ts';

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
