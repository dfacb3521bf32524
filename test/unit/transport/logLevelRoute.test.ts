import { expect, test } from '@jest/globals';
import { createLogger } from '../../../gateway/telemetry/logger.ts';
import { LogLevel, type LogLevelChange } from '../../../gateway/telemetry/logLevel.ts';
import { addLogLevelRoute } from '../../../gateway/transport/http/logLevelRoute.ts';
import { FakeTimers } from '../../harness/fakeTimers.ts';
import { exchange } from '../../harness/rawHttp.ts';
import { startScriptedServer } from '../../harness/scriptedServer.ts';

test('the level of the log is read and changed on the admin listener, and resets after the requested time', async () => {
  const log = createLogger('warn', { write: () => undefined });
  const timers = new FakeTimers();
  const forwarded: LogLevelChange[] = [];
  const workers = {
    handle: () => {},
    callOthers: async (_: string, change: string) => forwarded.push(JSON.parse(change)),
  };
  const logLevel = new LogLevel({ log, timers, workers });
  await using server = await startScriptedServer(undefined, {
    addAdminRoutes: (routes) => addLogLevelRoute(routes, logLevel),
  });
  const read = async (): Promise<unknown> =>
    JSON.parse((await exchange(server.adminUrl, { method: 'GET', path: '/log-level' })).body);
  const put = async (body: string, contentType = 'application/json') => {
    const headers = { 'content-type': contentType };
    const answer = await exchange(server.adminUrl, { method: 'PUT', path: '/log-level', headers, body });
    return [answer.status, JSON.parse(answer.body)];
  };
  expect(await read()).toEqual({ level: 'warn', configured: 'warn' });
  const changed = { level: 'debug', configured: 'warn' };
  expect(await put('{"level":"debug","forSeconds":60}')).toEqual([200, { ...changed, resetsInSeconds: 60 }]);
  timers.after(20_000, () => undefined);
  timers.fire(20_000);
  expect(await read()).toEqual({ ...changed, resetsInSeconds: 40 });
  timers.fire(60_000);
  expect(await read()).toEqual({ level: 'warn', configured: 'warn' });
  await put('{"level":"error","forSeconds":60}');
  expect(await put('{"level":"info"}')).toEqual([200, { level: 'info', configured: 'warn' }]);
  expect([log.level, timers.pendingMs()]).toEqual(['info', []]);
  expect(forwarded).toEqual([
    { level: 'debug', forSeconds: 60 },
    { level: 'error', forSeconds: 60 },
    { level: 'info' },
  ]);
  const refused = [
    [
      '{"level":"debg"}',
      'level is "debg"; expected one of fatal, error, warn, info, debug, trace, silent. Did you mean "debug"?',
    ],
    ['{}', 'level is missing; expected one of fatal, error, warn, info, debug, trace, silent.'],
    ['{"level":"info","for":1}', '"for" is unknown. Send {"level":"debug"}'],
    [
      '{"level":"info","forSeconds":0}',
      'forSeconds is 0; expected a number of seconds above 0, at most 2073600.',
    ],
    ['[]', 'Send {"level":"debug"}'],
  ];
  for (const [body = '', error] of refused)
    expect(await put(body)).toEqual([400, { error: expect.stringContaining(error as string) }]);
  expect(await put('{"level":"debug"}', 'text/plain')).toEqual([415, { error: expect.any(String) }]);
  expect(log.level).toBe('info');
});
