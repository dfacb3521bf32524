import type { GatewayError } from '../../gateway/errors.ts';
import { reportedErrorsOf } from '../../gateway/subscriptions/sources/reportedErrors.ts';
import type {
  FlowControl,
  SourceEndpoint,
  SourceEvent,
  SourceOptions,
  SourceReceiver,
  SourceRequest,
  SubscriptionSource,
} from '../../gateway/subscriptions/sources/subscriptionSource.ts';
import type { Timers } from '../../gateway/time/timers.ts';
import { Changes } from './changes.ts';
import { FakeTimers } from './fakeTimers.ts';

/** A receiver that logs its calls as short strings, in order. */
export class RecordingReceiver implements SourceReceiver {
  readonly log: string[] = [];
  readonly events: SourceEvent[] = [];
  error: GatewayError | undefined;
  onLogEntry: ((news: string) => void) | undefined;
  readonly #entries = new Changes();

  onEvent(event: SourceEvent): void {
    this.events.push(event);
    this.#record(JSON.stringify(event.errors === undefined ? event.data : { errors: event.errors }));
  }
  onInterrupted(cause: GatewayError): void {
    this.#record(`interrupted ${cause.code}`);
  }
  onResubscribed(): void {
    this.#record('resubscribed');
  }
  onComplete(): void {
    this.#record('complete');
  }
  onError(error: GatewayError): void {
    this.error = error;
    const reported = reportedErrorsOf(error);
    this.#record(`error ${error.code}${reported === undefined ? '' : ` ${JSON.stringify(reported)}`}`);
  }

  /** Resolves when the receiver has logged `count` entries. */
  async waitForLog(count: number): Promise<string[]> {
    await this.#entries.until(() => this.log.length >= count);
    return this.log;
  }

  #record(news: string): void {
    this.log.push(news);
    this.#entries.notify();
    this.onLogEntry?.(news);
  }
}

export interface TestSubscription {
  readonly receiver: RecordingReceiver;
  readonly cancel: () => void;
  readonly flow?: FlowControl | undefined;
}

export interface SourceFixture extends AsyncDisposable {
  readonly source: SubscriptionSource;
  readonly clock: FakeTimers;
  /** The delays of all timers that were set, in milliseconds. */
  readonly delaysMs: number[];
  /** The subgraphs whose protocol was accepted, once for each acceptance. */
  readonly acceptedSubgraphs: string[];
  /** Changes the URL of the subgraph; `undefined` removes the subgraph. */
  move(url: string | undefined): void;
  request(more?: Partial<SourceRequest>): SourceRequest;
  subscribe(more?: Partial<SourceRequest>, receiver?: RecordingReceiver): TestSubscription;
}

export const connectTimeoutMs = 3000;
export const heartbeatMs = 1000;
export const firstDelayMs = 100;

/** Creates a source for one subgraph, `reviews`, with a manual clock and without jitter. */
export function createSourceFixture(
  create: (options: SourceOptions) => SubscriptionSource,
  url: string,
  more: Partial<SourceEndpoint> = {},
): SourceFixture {
  const clock = new FakeTimers();
  const delays: number[] = [];
  const timers: Timers = {
    now: () => clock.now(),
    after: (ms, run) => {
      delays.push(ms);
      return clock.after(ms, run);
    },
  };
  const accepted: string[] = [];
  let present: string | undefined = url;
  const endpoint: SourceEndpoint = {
    url,
    connectTimeoutMs,
    maxEventBytes: 10_000,
    heartbeatMs,
    reconnect: { attempts: 2, minDelayMs: firstDelayMs, maxDelayMs: 10_000 },
    ...more,
  };
  const source = create({
    endpoint: () => {
      if (present === undefined) throw new Error('no such subgraph');
      return { ...endpoint, url: present };
    },
    timers,
    random: () => 1,
    onAccepted: (subgraph) => accepted.push(subgraph),
  });
  const request = (changes: Partial<SourceRequest> = {}): SourceRequest => ({
    subgraph: 'reviews',
    query: 'subscription { tick }',
    variables: {},
    headers: { key: '', pairs: [] },
    connectionParams: {},
    requestId: 'request-1',
    traceHeaders: [],
    ...changes,
  });
  return {
    source,
    clock,
    delaysMs: delays,
    acceptedSubgraphs: accepted,
    move: (to) => {
      present = to;
    },
    request,
    subscribe: (changes, receiver = new RecordingReceiver()) => {
      const { cancel, flowControl } = source.subscribe(request(changes), receiver);
      return { receiver, cancel, flow: flowControl };
    },
    [Symbol.asyncDispose]: () => source.close(),
  };
}
