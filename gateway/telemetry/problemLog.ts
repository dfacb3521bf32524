import { toLabelValue } from './registerCounter.ts';

export interface ProblemLogOptions {
  readonly log: { warn(fields: Readonly<Record<string, unknown>>, message: string): void };
  /** The message of every line. */
  readonly message: string;
  /** Milliseconds since 1970. */
  now(): number;
}

const logIntervalMs = 60_000;

/** Counts problems, and logs at most one of each kind per minute: while a shared dependency is down, every request has
 *  one. */
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

  /** `detail`: the message of this problem, such as that of a caught error. */
  report(kind: Kind, detail: string | undefined): void {
    const { log, message, now } = this.#options;
    const count = (this.#counts.get(kind) ?? 0) + 1;
    this.#counts.set(kind, count);
    const reportedAt = now();
    const loggedAt = this.#loggedAt.get(kind);
    if (loggedAt !== undefined && reportedAt - loggedAt < logIntervalMs) return;
    this.#loggedAt.set(kind, reportedAt);
    log.warn({ problem: toLabelValue(kind), count, message: detail }, message);
  }
}
