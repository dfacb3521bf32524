import type { ResponseExtensions } from '../../../response/responseExtensions.ts';
import type { Payload } from './sendOperation.ts';

type TributaryExtension = ResponseExtensions['tributary'];
type Explanation = NonNullable<TributaryExtension['explain']>;
export type ExplainedFetch = Explanation['fetches'][number];

/** What arrived at the page. */
export interface Arrival {
  readonly kind: 'payload' | 'event' | 'enrichment' | 'mutation';
  readonly label: string;
  /** From the moment the operation was sent, in milliseconds. */
  readonly atMs: number;
  readonly errors: number;
}

/** The answer to the last operation of a tab, as the pane shows it. */
export interface Answer {
  readonly kind: 'query' | 'mutation' | 'subscription';
  readonly isRunning: boolean;
  /** The newest ones, and the first one of an operation that is no subscription. */
  readonly arrivals: readonly Arrival[];
  /** How many payloads arrived, or events of a subscription. */
  readonly count: number;
  /** What the pane shows of a subscription is about its last event. */
  readonly explanation: Explanation | undefined;
  readonly plan: string | undefined;
  readonly criticalPath: NonNullable<TributaryExtension['criticalPath']>;
}

/** The answers of all tabs, by the ids of the tabs. */
export class Answers {
  /** The tab that is shown. */
  tab = '';
  readonly #answers = new Map<string, Answer>();
  readonly #listeners = new Set<() => void>();

  get(tab: string): Answer | undefined {
    return this.#answers.get(tab);
  }

  set(tab: string, answer: Answer): void {
    this.#answers.set(tab, answer);
    for (const listener of this.#listeners) listener();
  }

  change(tab: string, change: (answer: Answer) => Partial<Answer>): void {
    const answer = this.#answers.get(tab);
    if (answer !== undefined) this.set(tab, { ...answer, ...change(answer) });
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };
}

/** Takes what the gateway explains out of a payload: the pane shows it, and it is not part of the answer proper. */
export function takeExplanation(payload: Payload): {
  readonly payload: Payload;
  readonly times: TributaryExtension;
} {
  const times: TributaryExtension[] = [];
  const strip = <Part extends Pick<Payload, 'extensions'>>(part: Part): Part => {
    const tributary = part.extensions?.tributary;
    if (typeof tributary !== 'object' || tributary === null) return part;
    const { explain, ...remaining } = tributary as TributaryExtension;
    times.push(tributary);
    return explain === undefined
      ? part
      : { ...part, extensions: { ...part.extensions, tributary: remaining } };
  };
  const { incremental, ...own } = payload;
  const stripped = strip(own);
  return {
    payload: incremental === undefined ? stripped : { ...stripped, incremental: incremental.map(strip) },
    times: times.at(-1) ?? {},
  };
}
