import type { FetchResult } from '../execution/fetchCall.ts';
import type { CancelFetch, EntityRequest, FetchSender, RootRequest } from '../execution/fetchSender.ts';
import type { EventCompletion } from './sources/subscriptionSource.ts';

type EventResult = EventCompletion['event'];

/** Sends the fetches of one event. The event itself is the result of the subscription's root fetch; `next` sends all
 *  other fetches. */
export class EventFetchSender implements FetchSender {
  readonly #event: EventResult;
  readonly #next: FetchSender;

  constructor(event: EventResult, next: FetchSender) {
    this.#event = event;
    this.#next = next;
  }

  sendEntities(request: EntityRequest): CancelFetch {
    return this.#next.sendEntities(request);
  }

  sendRoot(request: RootRequest): CancelFetch {
    const { call, onDone } = request;
    if (call.shape.kind !== 'subscription') return this.#next.sendRoot(request);
    call.settle(resultOf(this.#event), onDone);
    return () => {};
  }
}

function resultOf({ data, errors = [] }: EventResult): FetchResult {
  return {
    kind: 'completed',
    data,
    errors: errors.map((entry) => ({ entry, entityIndex: undefined, path: entry.path ?? [] })),
    isEscapeFree: false,
    metadata: undefined,
    caching: undefined,
    stale: undefined,
  };
}
