export interface ProblemLogOptions {
  readonly log: { warn(fields: Readonly<Record<string, unknown>>, message: string): void };
  /** Of each line; what differs is in its fields. */
  readonly message: string;
  /** Milliseconds. */
  now(): number;
}

const logIntervalMs = 60_000;

/** Counts what went wrong, and writes the first of each kind and minute to the log: while something that all need is
 *  gone there are as many as there are requests. */
export class ProblemLog<Kind extends string> {
  readonly #options: ProblemLogOptions;
  readonly #counts = new Map<Kind, number>();
  readonly #loggedAt = new Map<Kind, number>();

  constructor(options: ProblemLogOptions) {
    this.#options = options;
  }

  get counts(): ReadonlyMap<Kind, number> {
    return this.#counts;
  }

  /** `detail`: what this one says, in addition to its kind. */
  report(kind: Kind, detail: string | undefined): void {
    const { log, message, now } = this.#options;
    const count = (this.#counts.get(kind) ?? 0) + 1;
    this.#counts.set(kind, count);
    const reportedAt = now();
    const loggedAt = this.#loggedAt.get(kind);
    if (loggedAt !== undefined && reportedAt - loggedAt < logIntervalMs) return;
    this.#loggedAt.set(kind, reportedAt);
    log.warn({ problem: kind, count, message: detail }, message);
  }
}
