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
  const provider = createTracerProvider(queue, { instanceId: 'random-id', workerName });
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

test('the resource names the service, its version and the instance', () => {
  expect(resourceOf()).toMatchObject({
    'service.name': 'tributary',
    'service.version': expect.stringMatching(/^\d+\.\d+\.\d+/),
    'service.instance.id': 'random-id',
  });
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
