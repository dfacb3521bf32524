/** A fault of a field (`Product.stock`) or of all requests (`*`) of a subgraph. */
export interface Fault {
  /** Milliseconds, or the median and the 99th percentile of a distribution. */
  readonly latency?: number | { readonly p50: number; readonly p99: number };
  readonly errorRate?: number;
  readonly hangRate?: number;
}

export interface DemoSubgraph {
  readonly name: string;
  readonly state: 'starting' | 'running' | 'down';
  /** Why the process ended, while it is down. */
  readonly exit: string | null;
  readonly faults: Readonly<Record<string, Fault>>;
  readonly defaultFaults: Readonly<Record<string, Fault>>;
  /** Fields that can have a fault. */
  readonly fields: readonly string[];
}

/** The part of the server's answer that the page shows. */
export interface DemoState {
  readonly subgraphs: readonly DemoSubgraph[];
}

/** Whether a subgraph runs with the faults that the demo starts with. */
export function isAsUsual({ state, faults, defaultFaults }: DemoSubgraph): boolean {
  return state === 'running' && JSON.stringify(faults) === JSON.stringify(defaultFaults);
}

export function isRestored({ subgraphs }: DemoState): boolean {
  return subgraphs.every(isAsUsual);
}

export function describeFault({ latency, errorRate = 0, hangRate = 0 }: Fault): string {
  const effects = [
    ...(latency === undefined
      ? []
      : [`${typeof latency === 'number' ? latency : `${latency.p50}–${latency.p99}`} ms slower`]),
    ...(hangRate === 0 ? [] : [describeRate(hangRate, 'hang')]),
    ...(errorRate === 0 ? [] : [describeRate(errorRate, 'fail')]),
  ];
  return effects.length === 0 ? 'no fault' : effects.join(', ');
}

function describeRate(rate: number, verb: string): string {
  return rate === 1 ? `${verb}s` : `${Math.round(100 * rate)} % of calls ${verb}`;
}
