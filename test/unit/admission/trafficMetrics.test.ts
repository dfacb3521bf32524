import { expect, test } from '@jest/globals';
import { Registry } from 'prom-client';
import { AuthenticationMetrics } from '../../../gateway/admission/authentication/authenticationMetrics.ts';
import { tokenRefusalReasons } from '../../../gateway/admission/authentication/tokenRefusal.ts';
import { TrafficMetrics } from '../../../gateway/admission/trafficMetrics.ts';
import { readSamples } from '../../harness/readSamples.ts';

// Prometheus sees no increase in a series that appears with its first count.
test('refused requests have series with 0 for each priority and reason before the first one', async () => {
  const registry = new Registry();
  const metrics = new TrafficMetrics(registry);
  const shed = await readSamples(registry, 'tributary_shed_total');
  expect(shed).toHaveLength(3 * 3);
  expect(shed.filter((line) => !line.endsWith(' 0'))).toEqual([]);
  metrics.onShed('normal', 'event_loop');
  metrics.onShed('normal', 'event_loop');
  const counted = await readSamples(registry, 'tributary_shed_total');
  expect(counted.filter((line) => !line.endsWith(' 0'))).toEqual([
    'tributary_shed_total{priority="normal",reason="event_loop"} 2',
  ]);
});

test('refused tokens have series with 0 for each reason before the first one', async () => {
  const registry = new Registry();
  new AuthenticationMetrics(registry, []);
  const refused = await readSamples(registry, 'tributary_jwt_refused_total');
  // Also for keys that are not available, where the token is not at fault.
  expect(refused).toHaveLength(tokenRefusalReasons.length + 1);
  expect(refused.filter((line) => !line.endsWith(' 0'))).toEqual([]);
});
