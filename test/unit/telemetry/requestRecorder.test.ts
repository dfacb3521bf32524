import { expect, test } from '@jest/globals';
import { Registry } from 'prom-client';
import { GatewayError, SlowClientError } from '../../../gateway/errors.ts';
import { createLogger } from '../../../gateway/telemetry/logger.ts';
import { maxOperationNames, OperationLabels } from '../../../gateway/telemetry/operationLabels.ts';
import { RequestRecorder } from '../../../gateway/telemetry/requestRecorder.ts';

function createRecorder(mode: 'trusted' | 'all' | 'off', level = 'silent', logsRequests = true) {
  const registry = new Registry();
  const lines: Record<string, unknown>[] = [];
  const recorder = new RequestRecorder({
    registry,
    labels: new OperationLabels({ mode, isTrusted: (name) => name === 'Known' }),
    log: createLogger(level, { write: (line: string) => void lines.push(JSON.parse(line)) }),
    logsRequests,
    clientHeaders: { clientNameHeaders: ['x-name'], clientVersionHeaders: ['x-version'] },
    countStreams: () => 0,
  });
  const run = (operationName: string | undefined, headers: Readonly<Record<string, string>> = {}): void => {
    const record = recorder.start('request-1', new Map(Object.entries(headers)), undefined);
    record.type = 'query';
    record.operationName = operationName;
    record.outcome = 'ok';
    record.addPayload(20);
    record.finish();
  };
  const samplesOf = async (name: string): Promise<string[]> => {
    const text = await registry.getSingleMetricAsString(name);
    return text.split('\n').filter((line) => !line.startsWith('#') && !line.endsWith('} 0'));
  };
  return { registry, recorder, lines, run, samplesOf };
}

const label = (operation: string): string => `operation="${operation}",type="query"`;

test('100,000 operations with different names, and as many without a name, do not grow the series of trusted names', async () => {
  const { run, samplesOf } = createRecorder('trusted');
  for (let index = 0; index < 100_000; index++) {
    run(`Operation${index}`);
    run(undefined);
  }
  run('Known');
  expect(await samplesOf('tributary_requests_total')).toEqual([
    `tributary_requests_total{${label('other')},outcome="ok"} 200000`,
    `tributary_requests_total{${label('Known')},outcome="ok"} 1`,
  ]);
});

test('with the names of all clients, the number of names has a limit, and long names have no series', async () => {
  const { run, samplesOf } = createRecorder('all');
  run('L'.repeat(1_000));
  for (let index = 0; index < 2 * maxOperationNames; index++) run(`Operation${index}`);
  const samples = await samplesOf('tributary_requests_total');
  expect(samples).toHaveLength(maxOperationNames + 1);
  expect(samples[0]).toBe(
    `tributary_requests_total{${label('other')},outcome="ok"} ${maxOperationNames + 1}`,
  );
});

test('an operation has series of all outcomes from its first request on, so that its share of errors is 0 and not unknown', async () => {
  const { registry, run } = createRecorder('trusted');
  run('Known');
  const text = await registry.getSingleMetricAsString('tributary_requests_total');
  const series = Array.from(text.matchAll(/outcome="(\w+)"\} (\d+)/g), ([, outcome, count]) => [
    outcome,
    count,
  ]);
  expect(Object.fromEntries(series)).toEqual({
    ok: '1',
    partial: '0',
    error: '0',
    refused: '0',
    shed: '0',
    limited: '0',
    aborted: '0',
  });
});

test('without operation names, every operation is counted as other', async () => {
  const { run, samplesOf } = createRecorder('off');
  run('Known');
  expect(await samplesOf('tributary_requests_total')).toEqual([
    `tributary_requests_total{${label('other')},outcome="ok"} 1`,
  ]);
});

test('no line is written with the access log off, nor at a level above info', () => {
  for (const recording of [createRecorder('off', 'info', false), createRecorder('off', 'warn')]) {
    recording.run('Known');
    expect(recording.lines).toEqual([]);
  }
});

test('texts of clients in the access log have a maximum length', () => {
  const { run, lines } = createRecorder('off', 'info');
  run('O'.repeat(500), { 'x-name': 'n'.repeat(500), 'x-version': 'v'.repeat(500) });
  const [{ operation, client, clientVersion } = {}] = lines as Record<string, string>[];
  expect([operation?.length, client?.length, clientVersion?.length]).toEqual([128, 128, 128]);
});

test('a batch is counted by its operations, whose lines share the size of the response', async () => {
  const { recorder, lines, samplesOf } = createRecorder('all', 'info');
  const record = recorder.start('request-1', new Map(), undefined);
  for (const outcome of ['ok', undefined] as const)
    Object.assign(record.addItem(), { operationName: 'Item', type: 'query', outcome });
  record.replaceOutcome(400);
  record.addPayload(100);
  record.finish();
  record.finish();
  expect(
    lines.map(({ requestId, operation, outcome, bytes }) => [requestId, operation, outcome, bytes]),
  ).toEqual([
    ['request-1', 'Item', 'ok', 100],
    ['request-1', 'Item', 'refused', 0],
  ]);
  expect(await samplesOf('tributary_requests_running')).toEqual(['tributary_requests_running 0']);
});

test('a failure after the first data makes a response partial, and a subscription an error', () => {
  const { recorder } = createRecorder('off');
  const stream = recorder.start('request-1', new Map(), undefined);
  stream.followPayloads({ hasErrors: () => false });
  stream.addPayload(1);
  stream.fail(new Error('broken'));
  expect(stream.outcome).toBe('partial');
  const subscription = recorder.start('request-2', new Map(), undefined);
  subscription.subscribe();
  subscription.addPayload(1);
  subscription.fail(new Error('broken'));
  subscription.abort();
  expect(subscription.outcome).toBe('error');
});

test('a subscription that ends in order keeps its outcome, and one whose client reads too slowly is aborted', () => {
  const { recorder } = createRecorder('off');
  const outcomeAfter = (error: Error, isPartial = false) => {
    const subscription = recorder.start('request-1', new Map(), undefined);
    subscription.subscribe();
    subscription.addPayload(1);
    if (isPartial) subscription.addErrors();
    subscription.fail(error);
    return subscription.outcome;
  };
  const idle = new GatewayError('SUBSCRIPTION_IDLE', 'No event.');
  expect(outcomeAfter(idle)).toBe('ok');
  expect(outcomeAfter(idle, true)).toBe('partial');
  expect(outcomeAfter(new GatewayError('SUPERGRAPH_CHANGED', 'Another supergraph.'))).toBe('ok');
  expect(outcomeAfter(new GatewayError('SHUTTING_DOWN', 'The gateway is shutting down.'))).toBe('ok');
  expect(outcomeAfter(new SlowClientError())).toBe('aborted');
  expect(outcomeAfter(new GatewayError('OVERLOADED', 'Events arrive faster than completed.'))).toBe('error');
  expect(outcomeAfter(new GatewayError('UNAUTHENTICATED', 'The token has expired.'))).toBe('refused');
});
