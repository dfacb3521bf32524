import { collectDefaultMetrics, Registry } from 'prom-client';

/** What is counted and measured, for Prometheus. One per gateway: several in one process do not mix. */
export interface Metrics {
  /** Where the parts register theirs. */
  readonly registry: Registry;
  /** Of `text`. */
  readonly contentType: string;
  /** Everything in Prometheus' text format, with what there is to know about the process. */
  text(): Promise<string>;
}

export function createMetrics(): Metrics {
  const registry = new Registry();
  return {
    registry,
    contentType: registry.contentType,
    async text() {
      const [own, ofProcess] = await Promise.all([registry.metrics(), processRegistry().metrics()]);
      return `${own}\n${ofProcess}`;
    },
  };
}

let sharedRegistry: Registry | undefined;

// Of the process, and not of a gateway: what observes the collector and the event loop cannot be stopped again, and
// keeps its registry for good. So there is one of it, and none until somebody asks. It does not keep the process
// running.
function processRegistry(): Registry {
  if (sharedRegistry === undefined) {
    sharedRegistry = new Registry();
    collectDefaultMetrics({ register: sharedRegistry });
  }
  return sharedRegistry;
}
