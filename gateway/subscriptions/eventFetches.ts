import type { FetchResult } from '../execution/fetchCall.ts';
import type { CancelFetch, EntityRequest, FetchSender, RootRequest } from '../execution/fetchSender.ts';
import type { EventCompletion } from './sources/subscriptionSource.ts';

type Event = EventCompletion['event'];

/** The fetches of one event: the event itself answers the one that subscribed, everything else is asked for. */
export class EventFetches implements FetchSender {
  readonly #event: Event;
  readonly #next: FetchSender;

  constructor(event: Event, next: FetchSender) {
    this.#event = event;
    this.#next = next;
  }

  sendEntities(request: EntityRequest): CancelFetch {
    return this.#next.sendEntities(request);
  }

  sendRoot(request: RootRequest): CancelFetch {
    const { call, done } = request;
    if (call.shape.kind !== 'subscription') return this.#next.sendRoot(request);
    call.settle(resultOf(this.#event), done);
    return () => {};
  }
}

function resultOf({ data, errors = [] }: Event): FetchResult {
  return {
    kind: 'answered',
    data,
    errors: errors.map((entry) => ({ entry, entity: undefined, path: entry.path ?? [] })),
    isEscapeFree: false,
    answer: undefined,
    caching: undefined,
    stale: undefined,
  };
}
