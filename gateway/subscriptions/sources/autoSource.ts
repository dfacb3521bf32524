import type { GatewayError } from '../../errors.ts';
import { systemTimers } from '../../time/timers.ts';
import { createGraphqlWsSource } from './graphqlWsSource.ts';
import { createMultipartSource } from './multipartSource.ts';
import { isUnsupportedProtocol, ProtocolProbe } from './protocolProbe.ts';
import { reportedErrorsOf } from './reportedErrors.ts';
import { createSseSource } from './sseSource.ts';
import type {
  FlowControl,
  SourceEvent,
  SourceOptions,
  SourceReceiver,
  SourceRequest,
  SourceSubscription,
  SubscriptionSource,
} from './subscriptionSource.ts';

/** Those that can be tried, in this order. */
const probedProtocols = ['graphql_ws', 'sse', 'multipart'] as const;

type ProbedProtocol = (typeof probedProtocols)[number];

/** HTTP callback as well, last of all: a subgraph that speaks it says so to nothing but an operation that it is to
 *  execute, so that only a client's subscription can find out. */
type AutoProtocol = ProbedProtocol | 'http_callback';

interface AutoSourceOptions extends SourceOptions {
  /** Makes the source of subscriptions by HTTP callback. Left out where subgraphs cannot reach this gateway. */
  readonly createCallbackSource?: ((options: SourceOptions) => SubscriptionSource) | undefined;
  /** By which protocol the gateway subscribes at the subgraph from now on. */
  readonly onProtocolDetected?: ((subgraph: string, protocol: AutoProtocol) => void) | undefined;
}

export interface ProtocolDetector {
  /** Finds out in the background by which protocols these subgraphs are subscribed at, and no longer for those of an
   *  earlier call. */
  detect(subgraphs: Iterable<string>): void;
}

/** Subscribes by the first protocol that a subgraph speaks. What is not known yet, the first subscription finds out; what
 *  was found is remembered as long as the subgraph's address stays the same and goes on to speak it. */
export function createAutoSource(options: AutoSourceOptions): SubscriptionSource & ProtocolDetector {
  return new AutoSource(options);
}

interface DetectedProtocol {
  readonly url: string;
  readonly protocol: AutoProtocol;
}

class AutoSource implements SubscriptionSource, ProtocolDetector {
  readonly #options: AutoSourceOptions;
  readonly #sources: Readonly<Record<ProbedProtocol, SubscriptionSource>>;
  readonly #callbackSource: SubscriptionSource | undefined;
  readonly #detected = new Map<string, DetectedProtocol>();
  readonly #probes = new Map<string, ProtocolProbe<ProbedProtocol>>();

  constructor(options: AutoSourceOptions) {
    this.#options = options;
    const optionsOf = (protocol: AutoProtocol): SourceOptions => ({
      endpoint: (subgraph) => options.endpoint(subgraph),
      timers: options.timers,
      random: options.random,
      onAccepted: (subgraph) => {
        this.#setDetected(subgraph, protocol);
        options.onAccepted?.(subgraph);
      },
    });
    this.#sources = {
      graphql_ws: createGraphqlWsSource(optionsOf('graphql_ws')),
      sse: createSseSource(optionsOf('sse')),
      multipart: createMultipartSource(optionsOf('multipart')),
    };
    this.#callbackSource = options.createCallbackSource?.(optionsOf('http_callback'));
  }

  subscribe(request: SourceRequest, receiver: SourceReceiver): SourceSubscription {
    const { subgraph } = request;
    const trial = new ProtocolNegotiation({
      receiver,
      lastResort: this.#callbackSource === undefined ? undefined : 'http_callback',
      subscribe: (protocol, tried) => this.#sourceOf(protocol).subscribe(request, tried),
      getDetected: () => this.#detectedProtocolOf(subgraph),
      clearDetected: () => this.#detected.delete(subgraph),
    });
    return { cancel: () => trial.cancel(), flowControl: trial };
  }

  detect(subgraphs: Iterable<string>): void {
    this.#stopProbes();
    for (const subgraph of subgraphs)
      if (this.#detectedProtocolOf(subgraph) === undefined) this.#probe(subgraph);
  }

  async close(): Promise<void> {
    this.#stopProbes();
    await Promise.all(
      [...Object.values(this.#sources), this.#callbackSource].map((source) => source?.close()),
    );
  }

  #sourceOf(protocol: AutoProtocol): SubscriptionSource {
    if (protocol !== 'http_callback') return this.#sources[protocol];
    if (this.#callbackSource === undefined) throw new Error('There are no subscriptions by HTTP callback.');
    return this.#callbackSource;
  }

  #probe(subgraph: string): void {
    const { endpoint, timers = systemTimers, random = Math.random } = this.#options;
    this.#probes.set(
      subgraph,
      new ProtocolProbe({
        subgraph,
        protocols: probedProtocols,
        delays: endpoint(subgraph).reconnect,
        timers,
        random,
        subscribe: (protocol, request, receiver) => this.#sources[protocol].subscribe(request, receiver),
      }),
    );
  }

  #stopProbes(): void {
    for (const probe of this.#probes.values()) probe.stop();
    this.#probes.clear();
  }

  #detectedProtocolOf(subgraph: string): AutoProtocol | undefined {
    const choice = this.#detected.get(subgraph);
    if (choice === undefined) return undefined;
    if (choice.url === this.#urlOf(subgraph)) return choice.protocol;
    this.#detected.delete(subgraph);
    return undefined;
  }

  #setDetected(subgraph: string, protocol: AutoProtocol): void {
    if (this.#detectedProtocolOf(subgraph) !== undefined) return;
    const url = this.#urlOf(subgraph);
    if (url === undefined) return;
    this.#detected.set(subgraph, { url, protocol });
    this.#probes.get(subgraph)?.stop();
    this.#probes.delete(subgraph);
    this.#options.onProtocolDetected?.(subgraph, protocol);
  }

  /** A subgraph may be gone while its subscriptions still are there. */
  #urlOf(subgraph: string): string | undefined {
    try {
      return this.#options.endpoint(subgraph).url;
    } catch {
      return undefined;
    }
  }
}

interface ProtocolNegotiationOptions {
  readonly receiver: SourceReceiver;
  /** What is tried when the subgraph has refused all others. */
  readonly lastResort: AutoProtocol | undefined;
  subscribe(protocol: AutoProtocol, receiver: SourceReceiver): SourceSubscription;
  /** By this subscription or another one. */
  getDetected(): AutoProtocol | undefined;
  clearDetected(): void;
}

/** One subscription, by one protocol after the other until one is chosen. */
class ProtocolNegotiation implements SourceReceiver, FlowControl {
  readonly #options: ProtocolNegotiationOptions;
  readonly #failures = new Map<AutoProtocol, GatewayError>();
  #protocol: AutoProtocol;
  #subscription: SourceSubscription;

  constructor(options: ProtocolNegotiationOptions) {
    this.#options = options;
    this.#protocol = options.getDetected() ?? probedProtocols[0];
    this.#subscription = options.subscribe(this.#protocol, this);
  }

  cancel(): void {
    this.#subscription.cancel();
  }

  pause(): void {
    this.#subscription.flowControl?.pause();
  }

  resume(): void {
    this.#subscription.flowControl?.resume();
  }

  onEvent(event: SourceEvent): void {
    this.#options.receiver.onEvent(event);
  }

  onInterrupted(cause: GatewayError): void {
    this.#options.receiver.onInterrupted(cause);
  }

  onResumed(): void {
    this.#options.receiver.onResumed();
  }

  onComplete(): void {
    this.#options.receiver.onComplete();
  }

  onError(error: GatewayError): void {
    const { getDetected, clearDetected, receiver, subscribe } = this.#options;
    this.#failures.set(this.#protocol, error);
    const choice = getDetected();
    if (choice === this.#protocol) {
      if (isProtocolMismatch(error)) clearDetected();
      receiver.onError(error);
      return;
    }
    const next =
      choice ?? probedProtocols.find((protocol) => !this.#failures.has(protocol)) ?? this.#lastResort();
    if (next === undefined || this.#failures.has(next)) {
      receiver.onError(this.#mostInformativeError() ?? error);
      return;
    }
    this.#protocol = next;
    this.#subscription = subscribe(next, this);
  }

  /** Where one of the others may be had at another time, it is not given up for this one. */
  #lastResort(): AutoProtocol | undefined {
    return [...this.#failures.values()].every(isUnsupportedProtocol) ? this.#options.lastResort : undefined;
  }

  /** The subgraph's own words, else what became of the plainest request. */
  #mostInformativeError(): GatewayError | undefined {
    const failures = [...this.#failures.values()];
    return (
      failures.find((error) => reportedErrorsOf(error) !== undefined) ??
      this.#failures.get(probedProtocols[2]) ??
      failures.at(-1)
    );
  }
}

/** No such path, method, type or upgrade. */
const mismatchStatuses: ReadonlySet<unknown> = new Set([404, 405, 406, 415, 426, 501]);

/** Whether the subgraph may have begun to speak another protocol. If it has not, the worst is that all are tried
 *  again. */
function isProtocolMismatch({ code, extensions }: GatewayError): boolean {
  const { http } = extensions;
  if (code === 'SUBGRAPH_INVALID_RESPONSE') return true;
  return typeof http === 'object' && http !== null && 'status' in http && mismatchStatuses.has(http.status);
}
