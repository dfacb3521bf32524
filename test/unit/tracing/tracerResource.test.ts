import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { ReadableSpan } from '@opentelemetry/sdk-trace';
import { createTracerProvider } from '../../../gateway/tracing/createTracerProvider.ts';
import { SpanExportQueue } from '../../../gateway/tracing/spanExportQueue.ts';
import { FakeTimers } from '../../harness/fakeTimers.ts';

function resourceOf(workerName?: string): ReadableSpan['resource']['attributes'] {
  const queue = new SpanExportQueue({
    exporter: { export: () => {}, shutdown: async () => {}, forceFlush: async () => {} },
    timers: new FakeTimers(),
    onOutage: () => {},
    onRecovery: () => {},
  });
  const provider = createTracerProvider(queue, { version: '1.2.3', workerName });
  return (provider.getTracer('test').startSpan('any') as unknown as ReadableSpan).resource.attributes;
}

beforeEach(() => {
  delete process.env.OTEL_SERVICE_NAME;
  delete process.env.OTEL_RESOURCE_ATTRIBUTES;
});
afterEach(() => {
  delete process.env.OTEL_SERVICE_NAME;
  delete process.env.OTEL_RESOURCE_ATTRIBUTES;
});

test('the resource names the service, and each gateway has an instance id of its own', () => {
  const [one, other] = [resourceOf(), resourceOf()];
  expect(one).toMatchObject({ 'service.name': 'tributary', 'service.version': '1.2.3' });
  expect(one['service.instance.id']).toMatch(/^[0-9a-f-]{36}$/);
  expect(other['service.instance.id']).not.toBe(one['service.instance.id']);
});

test('the environment overrides the resource, and workers still have different instance ids', () => {
  process.env.OTEL_SERVICE_NAME = 'shop-gateway';
  process.env.OTEL_RESOURCE_ATTRIBUTES = 'service.instance.id=pod-7,deployment.environment.name=test';
  expect(resourceOf('3')).toMatchObject({
    'service.name': 'shop-gateway',
    'service.instance.id': 'pod-7.3',
    'deployment.environment.name': 'test',
  });
  expect(resourceOf('4')['service.instance.id']).toBe('pod-7.4');
});
