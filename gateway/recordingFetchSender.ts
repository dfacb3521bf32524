import type { CancelFetch, EntityRequest, FetchSender, RootRequest } from './execution/fetchSender.ts';
import type { RequestRecord } from './telemetry/requestRecord.ts';

/** Records in which time fetches of a request were under way, for the access log. */
export class RecordingFetchSender implements FetchSender {
  readonly #next: FetchSender;

  constructor(next: FetchSender) {
    this.#next = next;
  }

  sendEntities(request: EntityRequest): CancelFetch {
    const { calls, requestContext, onDone } = request;
    return requestContext.record === undefined
      ? this.#next.sendEntities(request)
      : record(requestContext.record, onDone, (onEnd) =>
          this.#next.sendEntities({ calls, requestContext, onDone: onEnd }),
        );
  }

  sendRoot(request: RootRequest): CancelFetch {
    const { call, onDone } = request;
    return call.requestContext.record === undefined
      ? this.#next.sendRoot(request)
      : record(call.requestContext.record, onDone, (onEnd) => this.#next.sendRoot({ call, onDone: onEnd }));
  }
}

function record(
  request: RequestRecord,
  onDone: () => void,
  send: (onDone: () => void) => CancelFetch,
): CancelFetch {
  let isRunning = true;
  const end = (): void => {
    if (isRunning) request.endFetch();
    isRunning = false;
  };
  request.startFetch();
  const cancel = send(() => {
    end();
    onDone();
  });
  return () => {
    end();
    cancel();
  };
}
