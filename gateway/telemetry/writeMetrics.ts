import { type Metric, Registry } from 'prom-client';
import { yieldToEventLoop } from '../time/yieldToEventLoop.ts';

/** Written in about a millisecond. */
const samplesPerSlice = 500;

/** Writes metrics in Prometheus' text format, as `registry.metrics()` does, and yields to the event loop in between: with
 *  thousands of names of operations, a histogram has a hundred thousand lines. */
export async function writeMetrics(registry: Registry): Promise<string> {
  const texts: string[] = [];
  for (const { name } of registry.getMetricsAsArray()) {
    const metric = registry.getSingleMetric(name);
    if (metric !== undefined) texts.push(await writeMetric(metric));
    await yieldToEventLoop();
  }
  return `${texts.join('\n\n')}\n`;
}

/** `getForPromString`, which prom-client does not declare, copies no labels for each bucket of a histogram. */
type ReadableMetric = Metric & { readonly getForPromString?: () => ReturnType<Metric['get']> };

async function writeMetric(metric: ReadableMetric): Promise<string> {
  const { values, ...description } = await (metric.getForPromString?.() ?? metric.get());
  const slices: string[] = [];
  for (let start = 0; start === 0 || start < values.length; start += samplesPerSlice) {
    if (start > 0) await yieldToEventLoop();
    const slice = { ...description, values: values.slice(start, start + samplesPerSlice) };
    const writer = new Registry();
    writer.registerMetric({ ...description, get: async () => slice } as unknown as Metric);
    const text = (await writer.metrics()).trimEnd();
    // Help and type are written once.
    slices.push(start === 0 ? text : text.split('\n').slice(2).join('\n'));
  }
  return slices.join('\n');
}
