import { expect, test } from '@jest/globals';
import { RawConnection } from '../harness/rawHttp.ts';
import { startScriptedServer } from '../harness/scriptedServer.ts';

const operation = { headers: { 'content-type': 'application/json' }, body: '{"query":"{ greeting }"}' };

test('an idle connection is kept for listen.keepAliveTimeout, which the keep-alive header announces', async () => {
  await using kept = await startScriptedServer(undefined, { keepAliveTimeout: 3_600_000 });
  await using connection = await RawConnection.open(kept.url);
  connection.send(operation);
  expect((await connection.readResponse()).headers.get('keep-alive')).toBe('timeout=3600');
  await using brief = await startScriptedServer(undefined, { keepAliveTimeout: 1 });
  await using closed = await RawConnection.open(brief.url);
  closed.send(operation);
  await closed.readResponse();
  await closed.waitForClose();
  connection.send(operation);
  expect((await connection.readResponse()).status).toBe(200);
});
