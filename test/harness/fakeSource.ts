import type {
  SourceEvent,
  SourceReceiver,
  SourceRequest,
  SourceSubscription,
  SubscriptionSource,
} from '../../gateway/subscriptions/sources/subscriptionSource.ts';

/** A subscription at a subgraph that the test controls. */
class FakeSubscription {
  readonly request: SourceRequest;
  readonly receiver: SourceReceiver;
  isCancelled = false;
  isPaused = false;

  constructor(request: SourceRequest, receiver: SourceReceiver) {
    this.request = request;
    this.receiver = receiver;
  }

  send(data: SourceEvent['data'], errors?: SourceEvent['errors']): void {
    this.receiver.onEvent({ data, errors, extensions: undefined, size: 100 });
  }
}

export class FakeSource implements SubscriptionSource {
  readonly subscriptions: FakeSubscription[] = [];
  isClosed = false;
  isPausable = true;
  /** Waits for a response to each event, like a subgraph with HTTP callbacks. */
  acknowledgesEvents = false;
  /** Starts immediately, like the source of a stream. */
  isStream = false;

  subscribe(request: SourceRequest, receiver: SourceReceiver): SourceSubscription {
    const subscription = new FakeSubscription(request, receiver);
    this.subscriptions.push(subscription);
    return {
      cancel: () => {
        subscription.isCancelled = true;
      },
      flowControl: this.isPausable
        ? {
            pause: () => (subscription.isPaused = true),
            resume: () => (subscription.isPaused = false),
            acknowledgesEvents: this.acknowledgesEvents,
          }
        : undefined,
      startsImmediately: this.isStream,
    };
  }

  close(): Promise<void> {
    this.isClosed = true;
    return Promise.resolve();
  }

  at(place: number): FakeSubscription {
    const subscription = this.subscriptions[place];
    if (subscription === undefined) throw new Error(`There are ${this.subscriptions.length} subscriptions.`);
    return subscription;
  }
}
