import { messageOf } from '../errors.ts';
import type { TransportLog } from '../telemetry/logger.ts';
import { backoffDelayMs } from '../time/backoffDelayMs.ts';
import type { CancelTimer, Timers } from '../time/timers.ts';
import type { GatewayPlugin } from './clientRequest.ts';

type Started = ReturnType<NonNullable<GatewayPlugin['serverWillStart']>>;

/** Milliseconds. */
const retryBackoff = { minDelay: 500, maxDelay: 30_000 };

/** How long requests wait for a `serverWillStart` that does not end, in milliseconds. */
const slowStartMs = 10_000;

/** Starts the plugins of Apollo Server, whose own start ends for good when one of them fails. A plugin that fails is started
 *  again with backoff; one that does not end is waited for. */
export class PluginStarter {
  /** Resolves when something has kept Apollo Server from starting for the first time. */
  readonly firstProblem: Promise<void>;
  readonly #resolveFirstProblem: () => void;
  readonly #timers: Timers;
  readonly #log: TransportLog;
  readonly #plugins: GatewayPlugin[] = [];
  /** Messages by what has not started. */
  readonly #problems = new Map<string, string>();
  readonly #stopped = Promise.withResolvers<void>();
  /** Of attempts and retries, by the names of plugins. */
  readonly #running = new Map<string, CancelTimer>();
  #isStopped = false;

  constructor(timers: Timers, log: TransportLog) {
    this.#timers = timers;
    this.#log = log;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.firstProblem = promise;
    this.#resolveFirstProblem = resolve;
  }

  /** What keeps Apollo Server from starting; empty if nothing does so far. */
  get problem(): string {
    return Array.from(this.#problems, ([name, message]) => `${name}: ${message}`).join('; ');
  }

  /** The plugin with a `serverWillStart` that does not fail. `name`: for the operator. */
  track(plugin: GatewayPlugin, name: string): GatewayPlugin {
    this.#plugins.push(plugin);
    const { serverWillStart } = plugin;
    if (serverWillStart === undefined) return plugin;
    return {
      ...plugin,
      serverWillStart: (service) =>
        Promise.race([this.#stopped.promise, this.#start(name, () => serverWillStart(service))]),
    };
  }

  /** Lets Apollo Server start without the plugins that have not started, so that it can stop the others. */
  stop(): void {
    this.#isStopped = true;
    this.#stopped.resolve();
    for (const cancelTimer of this.#running.values()) cancelTimer();
  }

  /** Logs a problem, unless it is the last one of `name`, too. */
  report(name: string, err: unknown): void {
    const message = messageOf(err);
    if (this.#problems.get(name) === message) return;
    this.#problems.set(name, message);
    this.#log.error({ err, plugin: name }, 'A plugin of Apollo Server has not started');
    this.#resolveFirstProblem();
  }

  async #start(name: string, serverWillStart: () => Started): Started {
    for (let attempt = 1; !this.#isStopped; attempt += 1) {
      const cancelTimer = this.#timers.after(slowStartMs, () =>
        this.report(name, new Error(`serverWillStart did not end within ${slowStartMs / 1_000} s.`)),
      );
      this.#running.set(name, cancelTimer);
      try {
        const listener = await serverWillStart();
        this.#problems.delete(name);
        return listener;
      } catch (error) {
        if (this.#isStopped) return;
        this.report(name, error);
        if (attempt === 1) this.#callStartupDidFail(error);
      } finally {
        cancelTimer();
      }
      await new Promise<void>((resolve) => {
        this.#running.set(name, this.#timers.after(backoffDelayMs(attempt, retryBackoff), resolve));
      });
    }
  }

  #callStartupDidFail(cause: unknown): void {
    const error = cause instanceof Error ? cause : new Error(String(cause));
    const call = async (plugin: GatewayPlugin): Promise<void> => plugin.startupDidFail?.({ error });
    for (const plugin of this.#plugins) {
      call(plugin).catch((err: unknown) =>
        this.#log.error({ err }, 'A plugin of Apollo Server failed in startupDidFail'),
      );
    }
  }
}
