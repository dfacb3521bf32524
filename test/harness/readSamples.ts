import type { Registry } from 'prom-client';

/** Samples of a metric, as Prometheus reads them. */
export async function readSamples(registry: Registry, name: string): Promise<string[]> {
  const text = await registry.getSingleMetricAsString(name);
  return text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
}
