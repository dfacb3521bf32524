import type { GatewayError } from '../../errors.ts';
import { httpStatusOf, InvalidResponseError } from '../../subgraphs/callErrors.ts';
import { type ForwardedHeaders, noForwardedHeaders } from '../../subgraphs/forwardedHeaders.ts';
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

/** The protocols that can be probed, in order of preference. */
const probedProtocols = ['graphql_ws', 'sse', 'multipart'] as const;

type ProbedProtocol = (typeof probedProtocols)[number];

/** HTTP callback comes last and cannot be probed: a subgraph shows that it supports it only by executing an operation, so
 *  only a client's subscription can detect it. */
type AutoProtocol = ProbedProtocol | 'http_callback';

/** Why a subgraph refused each protocol: an HTTP status, a problem, or an error code. Never a message of the subgraph. */
type ProtocolRefusals = Readonly<Partial<Record<AutoProtocol, string>>>;

interface AutoSourceOptions extends Omit<SourceOptions, 'onAccepted'> {
  /** Creates the source for HTTP callback. Omitted if subgraphs cannot reach this gateway. */
  readonly createCallbackSource?: ((options: SourceOptions) => SubscriptionSource) | undefined;
  /** The headers of the request that detects a protocol, which has no client; none when omitted. */
  readonly headersOf?: ((subgraph: string) => ForwardedHeaders) | undefined;
  /** Called when the protocol of a subgraph was detected. */
  readonly onProtocolDetected?: ((subgraph: string, protocol: AutoProtocol) => void) | undefined;
  /** Called when a subgraph refused every protocol: once for each URL, until a protocol is detected. `url`: where the
   *  gateway subscribes. */
  readonly onNoProtocolDetected?:
    | ((subgraph: string, url: string, refusals: ProtocolRefusals) => void)
    | undefined;
}

export interface ProtocolDetector {
  /** Detects the protocols of these subgraphs in the background. Replaces the subgraphs of an earlier call. */
  detect(subgraphs: Iterable<string>): void;
}

/** Creates a source that subscribes with the first protocol that a subgraph supports. If background detection has no result
 *  yet, the first subscription tries the protocols. The result is remembered until the subgraph's URL changes or the
 *  subgraph stops supporting the protocol. */
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
  /** URLs of the subgraphs that refused every protocol. */
  readonly #reportedUrls = new Map<string, string>();
  readonly #probes = new Map<string, ProtocolProbe<ProbedProtocol>>();

  constructor(options: AutoSourceOptions) {
    this.#options = options;
    const optionsOf = (protocol: AutoProtocol): SourceOptions => ({
      endpoint: (subgraph) => options.endpoint(subgraph),
      timers: options.timers,
      random: options.random,
      onAccepted: (subgraph) => this.#setDetected(subgraph, protocol),
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
    const negotiation = new ProtocolNegotiation({
      receiver,
      lastResort: this.#callbackSource === undefined ? undefined : 'http_callback',
      subscribe: (protocol, receiver) => this.#sourceOf(protocol).subscribe(request, receiver),
      getDetected: () => this.#detectedProtocolOf(subgraph),
      clearDetected: () => this.#detected.delete(subgraph),
      onRefused: (refusals) => this.#reportRefusals(subgraph, refusals),
    });
    return { cancel: () => negotiation.cancel(), flowControl: negotiation };
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
    if (this.#callbackSource === undefined) throw new Error('HTTP callback is not available.');
    return this.#callbackSource;
  }

  #probe(subgraph: string): void {
    const { endpoint, headersOf, timers = systemTimers, random = Math.random } = this.#options;
    this.#probes.set(
      subgraph,
      new ProtocolProbe({
        subgraph,
        headers: headersOf?.(subgraph) ?? noForwardedHeaders,
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
    const detected = this.#detected.get(subgraph);
    if (detected === undefined) return undefined;
    if (detected.url === this.#urlOf(subgraph)) return detected.protocol;
    this.#detected.delete(subgraph);
    return undefined;
  }

  #setDetected(subgraph: string, protocol: AutoProtocol): void {
    if (this.#detectedProtocolOf(subgraph) !== undefined) return;
    const url = this.#urlOf(subgraph);
    if (url === undefined) return;
    this.#detected.set(subgraph, { url, protocol });
    this.#reportedUrls.delete(subgraph);
    this.#probes.get(subgraph)?.stop();
    this.#probes.delete(subgraph);
    this.#options.onProtocolDetected?.(subgraph, protocol);
  }

  #reportRefusals(subgraph: string, refusals: ProtocolRefusals): void {
    const url = this.#urlOf(subgraph);
    if (url === undefined || this.#reportedUrls.get(subgraph) === url) return;
    this.#reportedUrls.set(subgraph, url);
    this.#options.onNoProtocolDetected?.(subgraph, this.#options.endpoint(subgraph).url, refusals);
  }

  /** `undefined` if the subgraph no longer exists; its subscriptions may still be running. */
  #urlOf(subgraph: string): string | undefined {
    try {
      const { url, firstUrl = url } = this.#options.endpoint(subgraph);
      return firstUrl;
    } catch {
      return undefined;
    }
  }
}

interface ProtocolNegotiationOptions {
  readonly receiver: SourceReceiver;
  /** Tried when the subgraph supports none of the other protocols. */
  readonly lastResort: AutoProtocol | undefined;
  subscribe(protocol: AutoProtocol, receiver: SourceReceiver): SourceSubscription;
  /** The protocol that this or another subscription detected. */
  getDetected(): AutoProtocol | undefined;
  clearDetected(): void;
  /** The subgraph refused every protocol. */
  onRefused(refusals: ProtocolRefusals): void;
}

/** One subscription that tries one protocol after the other until the subgraph accepts one. */
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

  get acknowledgesEvents(): boolean | undefined {
    return this.#subscription.flowControl?.acknowledgesEvents;
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

  onResubscribed(): void {
    this.#options.receiver.onResubscribed?.();
  }

  onComplete(): void {
    this.#options.receiver.onComplete();
  }

  onError(error: GatewayError): void {
    const { getDetected, clearDetected, receiver, subscribe } = this.#options;
    this.#failures.set(this.#protocol, error);
    const detected = getDetected();
    if (detected === this.#protocol) {
      if (isProtocolMismatch(error)) clearDetected();
      receiver.onError(error);
      return;
    }
    const next =
      detected ?? probedProtocols.find((protocol) => !this.#failures.has(protocol)) ?? this.#lastResort();
    if (next === undefined || this.#failures.has(next)) {
      if (this.#isRefused()) this.#options.onRefused(describeRefusals(this.#failures));
      receiver.onError(this.#mostInformativeError() ?? error);
      return;
    }
    this.#protocol = next;
    this.#subscription = subscribe(next, this);
  }

  /** `undefined` while another protocol may still be supported, such as after a temporary failure. */
  #lastResort(): AutoProtocol | undefined {
    return this.#isRefused() ? this.#options.lastResort : undefined;
  }

  /** Whether the subgraph refused all protocols that can be probed. */
  #isRefused(): boolean {
    return probedProtocols.every((protocol) => {
      const failure = this.#failures.get(protocol);
      return failure !== undefined && isUnsupportedProtocol(failure);
    });
  }

  /** An error that the subgraph reported itself, or else the failure of multipart, whose request is the simplest. */
  #mostInformativeError(): GatewayError | undefined {
    const failures = [...this.#failures.values()];
    return (
      failures.find((error) => reportedErrorsOf(error) !== undefined) ??
      this.#failures.get('multipart') ??
      failures.at(-1)
    );
  }
}

function describeRefusals(failures: ReadonlyMap<AutoProtocol, GatewayError>): ProtocolRefusals {
  return Object.fromEntries(Array.from(failures, ([protocol, error]) => [protocol, describeRefusal(error)]));
}

function describeRefusal(error: GatewayError): string {
  const status = httpStatusOf(error);
  if (status !== undefined) return String(status);
  return error.cause instanceof InvalidResponseError ? error.cause.message : error.code;
}

/** The subgraph does not know this path, method, media type or upgrade. */
const mismatchStatuses: ReadonlySet<unknown> = new Set([404, 405, 406, 415, 426, 501]);

/** Whether the subgraph may have switched to another protocol. A wrong guess only costs another negotiation. */
function isProtocolMismatch(error: GatewayError): boolean {
  const status = httpStatusOf(error);
  // A 400 with GraphQL errors is about the operation.
  const isBadRequest = status === 400 && reportedErrorsOf(error) === undefined;
  return error.code === 'SUBGRAPH_INVALID_RESPONSE' || isBadRequest || mismatchStatuses.has(status);
}
