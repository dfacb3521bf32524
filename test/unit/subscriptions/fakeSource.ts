import type {
  SourceEvent,
  SourceReceiver,
  SourceRequest,
  SourceSubscription,
  SubscriptionSource,
} from '../../../gateway/subscriptions/sources/subscriptionSource.ts';

/** One subscription at a subgraph that a test plays. */
export class PlayedSubscription {
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
  readonly subscriptions: PlayedSubscription[] = [];
  isClosed = false;
  canBeStopped = true;
  /** As the source of a stream: what came while it was paused comes by itself, and nobody has to be asked. */
  isStream = false;

  subscribe(request: SourceRequest, receiver: SourceReceiver): SourceSubscription {
    const subscription = new PlayedSubscription(request, receiver);
    this.subscriptions.push(subscription);
    return {
      cancel: () => {
        subscription.isCancelled = true;
      },
      flow: this.canBeStopped
        ? {
            pause: () => (subscription.isPaused = true),
            resume: () => (subscription.isPaused = false),
            catchesUp: this.isStream,
          }
        : undefined,
      beginsAtOnce: this.isStream,
    };
  }

  close(): Promise<void> {
    this.isClosed = true;
    return Promise.resolve();
  }

  at(place: number): PlayedSubscription {
    const subscription = this.subscriptions[place];
    if (subscription === undefined) throw new Error(`There are ${this.subscriptions.length} subscriptions.`);
    return subscription;
  }
}
