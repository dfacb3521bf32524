import type {
  SourceReceiver,
  SourceRequest,
  SourceSubscription,
  SubscriptionSource,
} from './subscriptionSource.ts';

/** Subscribes to each subgraph with its configured protocol. */
export class ProtocolRoutingSource<Protocol extends string> implements SubscriptionSource {
  readonly #sources: Readonly<Record<Protocol, SubscriptionSource>>;
  readonly #protocolOf: (subgraph: string) => Protocol;

  constructor(
    sources: Readonly<Record<Protocol, SubscriptionSource>>,
    protocolOf: (subgraph: string) => Protocol,
  ) {
    this.#sources = sources;
    this.#protocolOf = protocolOf;
  }

  subscribe(request: SourceRequest, receiver: SourceReceiver): SourceSubscription {
    return this.#sources[this.#protocolOf(request.subgraph)].subscribe(request, receiver);
  }

  async close(): Promise<void> {
    const sources: readonly SubscriptionSource[] = Object.values(this.#sources);
    await Promise.all(sources.map((source) => source.close()));
  }
}
