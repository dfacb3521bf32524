import type { GatewayError } from '../../errors.ts';
import { systemTimers } from '../../time/timers.ts';
import { createGraphqlWsSource } from './graphqlWsSource.ts';
import { createMultipartSource } from './multipartSource.ts';
import { isNotSpoken, ProtocolProbe } from './protocolProbe.ts';
import { reportedErrorsOf } from './reportedErrors.ts';
import { createSseSource } from './sseSource.ts';
import type {
  SourceEvent,
  SourceFlow,
  SourceOptions,
  SourceReceiver,
  SourceRequest,
  SourceSubscription,
  SubscriptionSource,
} from './subscriptionSource.ts';

/** Those that can be tried, in this order. */
export const triedProtocols = ['graphql_ws', 'sse', 'multipart'] as const;

type TriedProtocol = (typeof triedProtocols)[number];

/** HTTP callback as well, last of all: a subgraph that speaks it says so to nothing but an operation that it is to
 *  execute, so that only a client's subscription can find out. */
export type AutoProtocol = TriedProtocol | 'http_callback';

export interface AutoSourceOptions extends SourceOptions {
  /** Makes the source of subscriptions by HTTP callback. Left out where subgraphs cannot reach this gateway. */
  readonly createCallbackSource?: ((options: SourceOptions) => SubscriptionSource) | undefined;
  /** By which protocol the gateway subscribes at the subgraph from now on. */
  readonly onChosen?: ((subgraph: string, protocol: AutoProtocol) => void) | undefined;
}

export interface ProtocolFinder {
  /** Finds out in the background by which protocols these subgraphs are subscribed at, and no longer for those of an
   *  earlier call. */
  find(subgraphs: Iterable<string>): void;
}

/** Subscribes by the first protocol that a subgraph speaks. What is not known yet, the first subscription finds out; what
 *  was found is remembered as long as the subgraph's address stays the same and goes on to speak it. */
export function createAutoSource(options: AutoSourceOptions): SubscriptionSource & ProtocolFinder {
  return new AutoSource(options);
}

interface Choice {
  readonly url: string;
  readonly protocol: AutoProtocol;
}

class AutoSource implements SubscriptionSource, ProtocolFinder {
  readonly #options: AutoSourceOptions;
  readonly #sources: Readonly<Record<TriedProtocol, SubscriptionSource>>;
  readonly #callbacks: SubscriptionSource | undefined;
  readonly #choices = new Map<string, Choice>();
  readonly #probes = new Map<string, ProtocolProbe<TriedProtocol>>();

  constructor(options: AutoSourceOptions) {
    this.#options = options;
    const optionsOf = (protocol: AutoProtocol): SourceOptions => ({
      endpoint: (subgraph) => options.endpoint(subgraph),
      timers: options.timers,
      random: options.random,
      onAccepted: (subgraph) => {
        this.#choose(subgraph, protocol);
        options.onAccepted?.(subgraph);
      },
    });
    this.#sources = {
      graphql_ws: createGraphqlWsSource(optionsOf('graphql_ws')),
      sse: createSseSource(optionsOf('sse')),
      multipart: createMultipartSource(optionsOf('multipart')),
    };
    this.#callbacks = options.createCallbackSource?.(optionsOf('http_callback'));
  }

  subscribe(request: SourceRequest, receiver: SourceReceiver): SourceSubscription {
    const { subgraph } = request;
    const trial = new Trial({
      receiver,
      last: this.#callbacks === undefined ? undefined : 'http_callback',
      subscribe: (protocol, tried) => this.#sourceOf(protocol).subscribe(request, tried),
      chosen: () => this.#chosen(subgraph),
      forget: () => this.#choices.delete(subgraph),
    });
    return { cancel: () => trial.cancel(), flow: trial };
  }

  find(subgraphs: Iterable<string>): void {
    this.#stopProbes();
    for (const subgraph of subgraphs) if (this.#chosen(subgraph) === undefined) this.#probe(subgraph);
  }

  async close(): Promise<void> {
    this.#stopProbes();
    await Promise.all([...Object.values(this.#sources), this.#callbacks].map((source) => source?.close()));
  }

  #sourceOf(protocol: AutoProtocol): SubscriptionSource {
    if (protocol !== 'http_callback') return this.#sources[protocol];
    if (this.#callbacks === undefined) throw new Error('There are no subscriptions by HTTP callback.');
    return this.#callbacks;
  }

  #probe(subgraph: string): void {
    const { endpoint, timers = systemTimers, random = Math.random } = this.#options;
    this.#probes.set(
      subgraph,
      new ProtocolProbe({
        subgraph,
        protocols: triedProtocols,
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

  #chosen(subgraph: string): AutoProtocol | undefined {
    const choice = this.#choices.get(subgraph);
    if (choice === undefined) return undefined;
    if (choice.url === this.#urlOf(subgraph)) return choice.protocol;
    this.#choices.delete(subgraph);
    return undefined;
  }

  #choose(subgraph: string, protocol: AutoProtocol): void {
    if (this.#chosen(subgraph) !== undefined) return;
    const url = this.#urlOf(subgraph);
    if (url === undefined) return;
    this.#choices.set(subgraph, { url, protocol });
    this.#probes.get(subgraph)?.stop();
    this.#probes.delete(subgraph);
    this.#options.onChosen?.(subgraph, protocol);
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

interface TrialOptions {
  readonly receiver: SourceReceiver;
  /** What is tried when the subgraph has refused all others. */
  readonly last: AutoProtocol | undefined;
  subscribe(protocol: AutoProtocol, receiver: SourceReceiver): SourceSubscription;
  /** By this subscription or another one. */
  chosen(): AutoProtocol | undefined;
  forget(): void;
}

/** One subscription, by one protocol after the other until one is chosen. */
class Trial implements SourceReceiver, SourceFlow {
  readonly #options: TrialOptions;
  readonly #failures = new Map<AutoProtocol, GatewayError>();
  #protocol: AutoProtocol;
  #subscription: SourceSubscription;

  constructor(options: TrialOptions) {
    this.#options = options;
    this.#protocol = options.chosen() ?? triedProtocols[0];
    this.#subscription = options.subscribe(this.#protocol, this);
  }

  cancel(): void {
    this.#subscription.cancel();
  }

  pause(): void {
    this.#subscription.flow?.pause();
  }

  resume(): void {
    this.#subscription.flow?.resume();
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
    const { chosen, forget, receiver, subscribe } = this.#options;
    this.#failures.set(this.#protocol, error);
    const choice = chosen();
    if (choice === this.#protocol) {
      if (isForeign(error)) forget();
      receiver.onError(error);
      return;
    }
    const next = choice ?? triedProtocols.find((protocol) => !this.#failures.has(protocol)) ?? this.#last();
    if (next === undefined || this.#failures.has(next)) {
      receiver.onError(this.#mostTelling() ?? error);
      return;
    }
    this.#protocol = next;
    this.#subscription = subscribe(next, this);
  }

  /** Where one of the others may be had at another time, it is not given up for this one. */
  #last(): AutoProtocol | undefined {
    return [...this.#failures.values()].every(isNotSpoken) ? this.#options.last : undefined;
  }

  /** The subgraph's own words, else what became of the plainest request. */
  #mostTelling(): GatewayError | undefined {
    const failures = [...this.#failures.values()];
    return (
      failures.find((error) => reportedErrorsOf(error) !== undefined) ??
      this.#failures.get(triedProtocols[2]) ??
      failures.at(-1)
    );
  }
}

/** No such path, method, type or upgrade. */
const foreignStatuses: ReadonlySet<unknown> = new Set([404, 405, 406, 415, 426, 501]);

/** Whether the subgraph may have begun to speak another protocol. If it has not, the worst is that all are tried
 *  again. */
function isForeign({ code, extensions }: GatewayError): boolean {
  const { http } = extensions;
  if (code === 'SUBGRAPH_INVALID_RESPONSE') return true;
  return typeof http === 'object' && http !== null && 'status' in http && foreignStatuses.has(http.status);
}
