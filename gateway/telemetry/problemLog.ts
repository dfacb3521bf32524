import { isWithin } from '../time/isWithin.ts';
import { toLabelValue } from './registerCounter.ts';

export interface ProblemLogOptions {
  readonly log: { warn(fields: Readonly<Record<string, unknown>>, message: string): void };
  /** The message of every line. */
  readonly message: string;
  /** Milliseconds since 1970. */
  now(): number;
}

const logIntervalMs = 60_000;

/** Counts problems, and logs at most one of each kind and subject per minute: while a shared dependency is down, every
 *  request has one. */
export class ProblemLog<Kind extends string> {
  readonly #options: ProblemLogOptions;
  readonly #counts = new Map<Kind, number>();
  /** By kind and subject. */
  readonly #loggedAt = new Map<string, number>();

  constructor(options: ProblemLogOptions) {
    this.#options = options;
  }

  get counts(): ReadonlyMap<Kind, number> {
    return this.#counts;
  }

  /** `detail`: the message of this problem, such as that of a caught error. `subject`: what has the problem, as fields of
   *  the line. */
  report(kind: Kind, detail?: string, subject: Readonly<Record<string, string>> = {}): void {
    const { log, message, now } = this.#options;
    const count = (this.#counts.get(kind) ?? 0) + 1;
    this.#counts.set(kind, count);
    const reportedAt = now();
    const key = [kind, ...Object.values(subject)].join(' ');
    const loggedAt = this.#loggedAt.get(key);
    if (loggedAt !== undefined && isWithin(logIntervalMs, loggedAt, reportedAt)) return;
    this.#loggedAt.set(key, reportedAt);
    log.warn({ problem: toLabelValue(kind), ...subject, count, message: detail }, message);
  }
}
