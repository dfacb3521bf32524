import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { createGatewayResource } from '../../../gateway/tracing/gatewayResource.ts';

function resourceOf(workerName?: string): Readonly<Record<string, unknown>> {
  return createGatewayResource({ instanceId: 'random-id', workerName }).attributes;
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
