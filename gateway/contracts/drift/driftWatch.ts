import { fetchLiveSubgraphs } from '../../../contracts/drift/fetchLiveSubgraphs.ts';
import type { Drift, SubgraphDrift } from '../../../contracts/drift/findDrift.ts';
import { LastDrift } from '../../../contracts/drift/lastDrift.ts';
import { workerEntryUrl } from '../../planning/workerEntryUrl.ts';
import { runInThread } from '../../supergraph/runInThread.ts';
import type { AccessOfAddress, SubgraphAddress } from '../../supergraph/sources/fetchSubgraphSdl.ts';
import type { Supergraph } from '../../supergraph/supergraph.ts';
import type { Logger } from '../../telemetry/logger.ts';
import { isWithin } from '../../time/isWithin.ts';
import type { CancelTimer, Timers } from '../../time/timers.ts';
import { hasContractStore, readStoreFingerprint } from '../storeProbe.ts';
import type { DriftReply, DriftTask } from './driftWorker.ts';

interface DriftWatchOptions {
  readonly directory: string;
  /** From the end of one check to the start of the next. */
  readonly intervalMs: number;
  readonly timers: Timers;
  readonly log: Logger;
  /** Milliseconds since 1970. */
  now(): number;
  current(): Supergraph | undefined;
  addresses(): readonly SubgraphAddress[];
  /** How the SDL of a protected subgraph is fetched. */
  readonly accessOf?: AccessOfAddress;
  /** Called after each check, also one that failed or found no contracts. */
  onChecked(): Promise<void>;
}

/** A subgraph as of the last check. */
export interface WatchedSubgraph extends SubgraphDrift {
  /** Time of the first check with this state. */
  readonly since: string;
  /** Why the subgraph refused a fetch as invalid, if it did so since the check before the last one. */
  readonly refusal?: string | undefined;
}

/** Compares the running subgraphs with their contracts periodically, and immediately when a subgraph refuses a fetch
 *  as invalid. Nothing is composed while nothing has changed. */
export class DriftWatch {
  readonly #options: DriftWatchOptions;
  readonly #stopped = new AbortController();
  #subgraphs: ReadonlyMap<string, WatchedSubgraph> = new Map();
  #refusals = new Map<string, string>();
  readonly #last = new LastDrift();
  #lastCheckAt: string | undefined;
  #extraCheckAt = Number.NEGATIVE_INFINITY;
  #checking: Promise<void> | undefined;
  #cancelTimer: CancelTimer | undefined;

  constructor(options: DriftWatchOptions) {
    this.#options = options;
    this.#scheduleCheck();
  }

  get subgraphs(): readonly WatchedSubgraph[] {
    return [...this.#subgraphs.values()];
  }

  get lastCheckAt(): string | undefined {
    return this.#lastCheckAt;
  }

  /** Findings of the last check. */
  get findings(): Drift['findings'] {
    return this.#last.findings;
  }

  /** Reports that a subgraph refused a fetch as invalid: it is not the subgraph that the plan was made for. */
  recordRefusal(name: string, message: string): void {
    if (this.#stopped.signal.aborted) return;
    const isFirst = !this.#refusals.has(name);
    this.#refusals.set(name, message);
    if (isFirst) void this.#reportRefusal(name, message);
  }

  /** Starts a check, at most one a minute: clients can cause request errors, and each check asks all subgraphs. */
  checkSoon(): void {
    if (!this.#stopped.signal.aborted) this.#startExtraCheck(minCheckIntervalOfRequestErrorsMs);
  }

  async close(): Promise<void> {
    this.#stopped.abort();
    this.#cancelTimer?.();
    await this.#checking;
  }

  /** Only the first of many refusals is logged and starts a check. */
  async #reportRefusal(name: string, message: string): Promise<void> {
    const { directory, log, now } = this.#options;
    if (!(await hasContractStore(directory)) || this.#stopped.signal.aborted) return;
    const known = this.#subgraphs.get(name);
    if (known?.state !== 'drifted') {
      log.warn(
        { subgraph: name, message },
        'A subgraph refuses a fetch that was planned for it: it has drifted',
      );
      const drifted: WatchedSubgraph = {
        name,
        state: 'drifted',
        breaks: known?.breaks ?? [],
        since: new Date(now()).toISOString(),
        refusal: message,
      };
      this.#subgraphs = new Map([...this.#subgraphs, [name, drifted]]);
    }
    this.#startExtraCheck(minExtraCheckIntervalMs);
  }

  #startExtraCheck(minIntervalMs: number): void {
    const at = this.#options.now();
    if (isWithin(minIntervalMs, this.#extraCheckAt, at) || this.#checking !== undefined) return;
    this.#extraCheckAt = at;
    this.#startCheck();
  }

  #scheduleCheck(): void {
    if (this.#stopped.signal.aborted) return;
    this.#cancelTimer = this.#options.timers.after(this.#options.intervalMs, () => this.#startCheck());
  }

  #startCheck(): void {
    this.#cancelTimer?.();
    this.#checking ??= this.#checkOnce()
      .catch((err: unknown) => {
        if (!this.#stopped.signal.aborted) {
          this.#options.log.error({ err }, 'The running subgraphs could not be compared with the contracts');
        }
      })
      .finally(() => {
        this.#checking = undefined;
        this.#scheduleCheck();
      });
  }

  async #checkOnce(): Promise<void> {
    const { current, onChecked } = this.#options;
    const supergraph = current();
    if (supergraph === undefined) return;
    const { signal } = this.#stopped;
    try {
      await this.#compare(supergraph, signal);
    } finally {
      // `onChecked` needs neither this comparison nor contracts.
      if (!signal.aborted) await onChecked();
    }
  }

  async #compare(supergraph: Supergraph, signal: AbortSignal): Promise<void> {
    const { directory, addresses, accessOf, log, now } = this.#options;
    if (!(await hasContractStore(directory))) {
      this.#subgraphs = new Map();
      return;
    }
    const refusals = this.#refusals;
    this.#refusals = new Map();
    const live = await fetchLiveSubgraphs(addresses(), { signal, accessOf });
    const inputs = [supergraph.id, await readStoreFingerprint(directory), live];
    const drift = await this.#last.update(inputs, () =>
      findDriftInThread({ directory, live, supergraphSdl: supergraph.sdl }, signal),
    );
    this.#lastCheckAt = new Date(now()).toISOString();
    this.#applyDrift(drift, refusals);
    log.debug({ subgraphs: live.length }, 'The running subgraphs were compared with the contracts');
  }

  #applyDrift({ subgraphs }: Drift, refusals: ReadonlyMap<string, string>): void {
    const { log } = this.#options;
    const before = this.#subgraphs;
    const at = this.#lastCheckAt as string;
    this.#subgraphs = new Map(
      subgraphs.map((found): [string, WatchedSubgraph] => {
        const { name, breaks } = found;
        const refusal = this.#refusals.get(name) ?? refusals.get(name);
        const known = before.get(name);
        // A subgraph that gave no schema keeps its state.
        const observed = found.state === 'unknown' && known?.state === 'drifted' ? 'drifted' : found.state;
        const state = refusal === undefined ? observed : 'drifted';
        const isSame = known?.state === state;
        if (!isSame && state === 'drifted') {
          log.warn(
            { subgraph: name, count: breaks.length, breaks: breaks.slice(0, maxLoggedOperations) },
            'A subgraph serves another schema than its contract',
          );
        } else if (known?.state === 'drifted' && state === 'as agreed') {
          log.info({ subgraph: name }, 'A subgraph serves its contract again');
        }
        return [name, { name, breaks, state, since: isSame ? known.since : at, refusal }];
      }),
    );
  }
}

/** Maximum broken operations in one log message. `GET /contracts` has all of them. */
const maxLoggedOperations = 20;

/** Minimum time between two checks that refusals start. */
const minExtraCheckIntervalMs = 10_000;
const minCheckIntervalOfRequestErrorsMs = 60_000;

/** Runs `findDrift` in its own thread.
 *  @throws {Error} when the drift cannot be determined.
 *  @throws {unknown} the reason of `signal`. */
async function findDriftInThread(task: DriftTask, signal: AbortSignal): Promise<Drift> {
  const entry = workerEntryUrl('driftWorker', import.meta.url);
  const reply = await runInThread<DriftReply>({ entry, name: 'tributary-drift', task, signal });
  if (reply.kind === 'found') return reply.drift;
  throw new Error(reply.message);
}
