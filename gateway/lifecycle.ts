import { ConfigError, formatConfigPath } from './config/configError.ts';
import type { GatewayConfig } from './config/schema.ts';
import { GatewayShutdownError } from './errors.ts';
import type { Feature, FeatureContext } from './feature.ts';
import type { SubgraphClient } from './subgraphs/subgraphClient.ts';
import { createSource } from './supergraph/sources/createSource.ts';
import { keepRunning } from './time/keepRunning.ts';
import type { HttpServer } from './transport/http/httpServer.ts';
import type { GatewayAddresses, StartOptions } from './transport/http/mountedGateway.ts';
import type { WorkerIdentity } from './transport/workers/workerIdentity.ts';

interface LifecycleOptions {
  readonly context: Pick<FeatureContext, 'config' | 'supergraphs' | 'schemaAccessOf' | 'timers'>;
  readonly features: readonly Feature[];
  readonly server: HttpServer;
  readonly client: Pick<SubgraphClient, 'close'>;
  /** See `GatewayDependencies`. */
  readonly worker?: WorkerIdentity;
  /** See `GatewayDependencies`. */
  readonly waitToListenUnready?: () => Promise<void>;
}

/** Starts and ends the parts of a gateway, in the order in which they need each other, and gives each new supergraph to
 *  the features. */
export class Lifecycle {
  /** Resolves when the gateway has a supergraph. Rejects with `SHUTTING_DOWN` when it is closed before. */
  readonly ready: Promise<void>;
  readonly #rejectReady: (reason: GatewayShutdownError) => void;
  readonly #options: LifecycleOptions;
  #isStarted = false;
  #closing: Promise<void> | undefined;

  constructor(options: LifecycleOptions) {
    this.#options = options;
    const { context, features } = options;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.ready = promise;
    this.#rejectReady = reject;
    // Callers need not wait for it.
    promise.catch(() => {});
    context.supergraphs.onChange((supergraph) => {
      for (const feature of features) feature.onSupergraph?.(supergraph);
      resolve();
    });
  }

  /** @throws when the gateway has been started. It may be started again after a failure, such as a port in use.
   *  @throws {ConfigError} for a file of the supergraph that cannot be used and is not watched.
   *  @throws {GatewayShutdownError} when the gateway is closed before it has started. */
  async start(options: StartOptions = {}): Promise<Partial<GatewayAddresses>> {
    if (this.#isStarted) throw new Error('The gateway has already been started.');
    this.#isStarted = true;
    try {
      const addresses = await this.#start(options);
      if (this.#closing !== undefined) throw new GatewayShutdownError();
      return addresses;
    } catch (error) {
      this.#isStarted = false;
      throw error;
    }
  }

  async #start(options: StartOptions): Promise<Partial<GatewayAddresses>> {
    const { context, worker, waitToListenUnready } = this.#options;
    const { config, supergraphs } = context;
    if (options.listen === false) checkCallbackUrl(config);
    if (worker !== undefined) {
      // Other workers serve requests meanwhile.
      await this.#loadSupergraph();
      if (supergraphs.current() === undefined) {
        // Only for other workers, whose scrapes and log levels include this one.
        await this.#options.server.listen({ listen: false, admin: false });
        await Promise.race([this.ready, waitToListenUnready?.()]);
      }
      return this.#listen(options);
    }
    // Listening first, so that health routes answer while the supergraph loads.
    const addresses = await this.#listen(options);
    await this.#loadSupergraph();
    return addresses;
  }

  /** @throws {ConfigError} when there is none, and its file is not read again: the gateway would wait without an end. */
  async #loadSupergraph(): Promise<void> {
    const { config, schemaAccessOf, supergraphs } = this.#options.context;
    await supergraphs.start(createSource(config, schemaAccessOf));
    const isWatched = !('file' in config.supergraph) || config.supergraph.watch;
    if (isWatched || supergraphs.current() !== undefined || supergraphs.isRetrying()) return;
    // There is no problem when the gateway was closed meanwhile.
    const problem = supergraphs.problem();
    if (problem === undefined) return;
    throw new ConfigError([
      {
        path: 'supergraph.file',
        message: `cannot be used, and supergraph.watch is false: ${problem}`,
        expected: '',
      },
    ]);
  }

  /** Further calls wait for the first one. */
  close(): Promise<void> {
    // A step may wait for a promise, such as one of an extension, that does not keep the process running.
    this.#closing ??= keepRunning(() => this.#close());
    return this.#closing;
  }

  async #close(): Promise<void> {
    const { context, features, server, client } = this.#options;
    const { config, supergraphs, timers } = context;
    // One deadline for all steps.
    const deadline = timers.now() + config.listen.drainTimeout;
    this.#rejectReady(new GatewayShutdownError());
    await server.close();
    const remainingMs = (): number => Math.max(0, deadline - timers.now());
    for (const feature of features.toReversed()) await feature.stop?.(remainingMs());
    await supergraphs.close();
    await client.close();
    for (const feature of features.toReversed()) await feature.close?.(remainingMs());
  }

  async #listen(options: StartOptions): Promise<Partial<GatewayAddresses>> {
    const { context, features, server } = this.#options;
    const { config } = context;
    const { url, adminUrl } = await server.listen(options);
    // Without a listener, the configured address is that of the application's server.
    const baseUrl = url ?? `http://${config.listen.host}:${config.listen.port}`;
    for (const feature of features) feature.onListening?.(new URL('/', baseUrl).href);
    return { ...(url === undefined ? {} : { url }), ...(adminUrl === undefined ? {} : { adminUrl }) };
  }
}

/** The gateway does not know the address of the server that it is mounted in.
 *  @throws {ConfigError} when subgraphs need it. */
function checkCallbackUrl({ listen, subgraphs }: GatewayConfig): void {
  const name = Object.keys(subgraphs).find(
    (key) => subgraphs[key]?.subscription?.protocol === 'http_callback',
  );
  if (name === undefined || listen.publicUrl !== '') return;
  throw new ConfigError([
    {
      path: 'listen.publicUrl',
      message: `is empty, the gateway does not listen itself, and ${formatConfigPath(['subgraphs', name, 'subscription', 'protocol'])} is http_callback`,
      expected: "the address of the application's server at which subgraphs reach the gateway",
    },
  ]);
}
