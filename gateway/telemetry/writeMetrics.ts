import { type Metric, Registry } from 'prom-client';
import { yieldToEventLoop } from '../time/yieldToEventLoop.ts';

/** Written in about a millisecond. */
const samplesPerSlice = 500;

/** `getForPromString`, which prom-client does not declare, copies no labels for each bucket of a histogram. */
type ReadableMetric = Metric & { readonly getForPromString?: () => ReturnType<Metric['get']> };

/** Writes metrics in Prometheus' text format, as `registry.metrics()` does, and yields to the event loop in between: with
 *  thousands of names of operations, a histogram has a hundred thousand lines. It yields by samples and not by metrics,
 *  because a turn of the event loop takes long while the gateway is overloaded, and there are a hundred metrics. */
export async function writeMetrics(registry: Registry): Promise<string> {
  const texts: string[] = [];
  let remaining = samplesPerSlice;
  for (const { name } of registry.getMetricsAsArray()) {
    const metric = registry.getSingleMetric(name) as ReadableMetric | undefined;
    if (metric === undefined) continue;
    const { values, ...description } = await (metric.getForPromString?.() ?? metric.get());
    const slices: string[] = [];
    let start = 0;
    do {
      if (remaining === 0) {
        await yieldToEventLoop();
        remaining = samplesPerSlice;
      }
      const slice = { ...description, values: values.slice(start, start + remaining) };
      const writer = new Registry();
      writer.registerMetric({ ...description, get: async () => slice } as unknown as Metric);
      const text = (await writer.metrics()).trimEnd();
      // Help and type are written once.
      slices.push(start === 0 ? text : text.split('\n').slice(2).join('\n'));
      remaining -= slice.values.length;
      start += slice.values.length;
    } while (start < values.length);
    texts.push(slices.join('\n'));
  }
  return `${texts.join('\n\n')}\n`;
}
