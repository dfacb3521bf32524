import { expect, test } from '@jest/globals';
import { RawConnection } from '../harness/frames.ts';
import { startScripted } from '../unit/transport/scriptedServer.ts';

const operation = { headers: { 'content-type': 'application/json' }, body: '{"query":"{ greeting }"}' };

test('a connection without a request is kept as long as it is to be, and clients are told', async () => {
  await using kept = await startScripted(undefined, { keepAliveTimeout: 3_600_000 });
  await using connection = await RawConnection.open(kept.url);
  connection.send(operation);
  expect((await connection.readAnswer()).headers.get('keep-alive')).toBe('timeout=3600');
  await using brief = await startScripted(undefined, { keepAliveTimeout: 1 });
  await using closed = await RawConnection.open(brief.url);
  closed.send(operation);
  await closed.readAnswer();
  await closed.whenClosed();
  connection.send(operation);
  expect((await connection.readAnswer()).status).toBe(200);
});
