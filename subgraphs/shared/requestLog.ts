/** `aborted`: the client left before the answer was out. */
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

/** What a subgraph received: counts of everything, and the newest requests in full. */
export interface RequestLog {
  readonly counts: RequestCounts;
  /** Oldest first. */
  readonly recent: readonly RecordedRequest[];
  reset(): void;
  /** Resolves as soon as the predicate holds; it is asked now and at every change. */
  waitUntil(predicate: (log: RequestLog) => boolean): Promise<void>;
}

export interface RequestRecorder {
  readonly log: RequestLog;
  /** Records a request; the function returned settles it, once. */
  record(
    request: Omit<RecordedRequest, 'outcome' | 'receivedAt'>,
  ): (outcome: Exclude<RequestOutcome, 'pending'>) => void;
}

interface Watcher {
  readonly predicate: (log: RequestLog) => boolean;
  readonly resolve: () => void;
}

/** `keep`: how many of the newest requests stay readable in full. */
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
      // The counts that this request was counted in: after a reset it must not count in the new ones.
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
