/** `aborted`: the client disconnected before the response was complete. */
type RequestOutcome = 'pending' | 'answered' | 'aborted';

interface RecordedRequest {
  readonly transport: 'http' | 'websocket';
  readonly query: string;
  readonly operationName: string | null;
  readonly variables: Readonly<Record<string, unknown>>;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Milliseconds since the epoch. */
  readonly receivedAt: number;
  readonly outcome: RequestOutcome;
}

/** Counts since the last reset. */
interface RequestCounts {
  readonly total: number;
  readonly pending: number;
  readonly answered: number;
  readonly aborted: number;
}

/** The requests that a subgraph received: counts of all of them, and the newest ones in full. */
export interface RequestLog {
  readonly counts: RequestCounts;
  /** Oldest first. */
  readonly recent: readonly RecordedRequest[];
  reset(): void;
  /** Resolves as soon as the predicate returns true. The predicate is called at once and at every change. */
  waitUntil(predicate: (log: RequestLog) => boolean): Promise<void>;
}

export interface RequestRecorder {
  readonly log: RequestLog;
  /** Records a request. The returned function settles it; only its first call counts. */
  record(
    request: Omit<RecordedRequest, 'outcome' | 'receivedAt'>,
  ): (outcome: Exclude<RequestOutcome, 'pending'>) => void;
}

interface Watcher {
  readonly predicate: (log: RequestLog) => boolean;
  readonly resolve: () => void;
}

/** `keep`: how many of the newest requests are stored in full. */
export function createRequestRecorder(keep: number): RequestRecorder {
  let recent: { -readonly [Key in keyof RecordedRequest]: RecordedRequest[Key] }[] = [];
  let counts = { total: 0, pending: 0, answered: 0, aborted: 0 };
  const watchers = new Set<Watcher>();

  const log: RequestLog = {
    get counts() {
      return { ...counts };
    },
    get recent() {
      return recent.map((request) => ({ ...request }));
    },
    reset() {
      recent = [];
      counts = { total: 0, pending: 0, answered: 0, aborted: 0 };
    },
    waitUntil(predicate) {
      if (predicate(log)) return Promise.resolve();
      return new Promise((resolve) => watchers.add({ predicate, resolve }));
    },
  };

  function wakeWatchers(): void {
    for (const watcher of watchers) {
      if (!watcher.predicate(log)) continue;
      watchers.delete(watcher);
      watcher.resolve();
    }
  }

  return {
    log,
    record(request) {
      const entry = { ...request, receivedAt: Date.now(), outcome: 'pending' as RequestOutcome };
      // The counts that include this request. After a reset, it must not change the new counts.
      const countedIn = counts;
      countedIn.total += 1;
      countedIn.pending += 1;
      recent.push(entry);
      if (recent.length > keep) recent.shift();
      wakeWatchers();
      return (outcome) => {
        if (entry.outcome !== 'pending') return;
        entry.outcome = outcome;
        countedIn.pending -= 1;
        countedIn[outcome] += 1;
        wakeWatchers();
      };
    },
  };
}
