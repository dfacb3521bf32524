import { ConfigError, formatConfigPath } from './config/configError.ts';
import type { GatewayConfig } from './config/schema.ts';
import type { Feature } from './feature.ts';
import type { SubgraphClient } from './subgraphs/subgraphClient.ts';
import { createSource } from './supergraph/sources/createSource.ts';
import type { AccessOfAddress } from './supergraph/sources/fetchSubgraphSdl.ts';
import type { SupergraphHolder } from './supergraph/supergraphHolder.ts';
import type { HttpServer, StartOptions } from './transport/http/httpServer.ts';

interface LifecycleOptions {
  readonly config: GatewayConfig;
  /** How the schemas of subgraphs are fetched. */
  readonly schemaAccessOf: AccessOfAddress;
  readonly features: readonly Feature[];
  readonly supergraphs: SupergraphHolder;
  readonly server: HttpServer;
  readonly client: Pick<SubgraphClient, 'close'>;
  /** This process is one of several that share the port. */
  readonly isWorker: boolean;
  /** See `GatewayDependencies`. */
  readonly waitToListenUnready: (() => Promise<void>) | undefined;
}

/** The URLs of a gateway that listens. */
export interface GatewayAddresses {
  /** URL of the GraphQL route. */
  readonly url: string;
  readonly adminUrl: string;
}

/** Starts and ends the parts of a gateway, in the order in which they need each other. */
export class Lifecycle {
  /** Resolves when the gateway has a supergraph. */
  readonly ready: Promise<void>;
  readonly #options: LifecycleOptions;

  constructor(options: LifecycleOptions) {
    this.#options = options;
    this.ready = new Promise((resolve) => options.supergraphs.onChange(() => resolve()));
  }

  async start(options: StartOptions = {}): Promise<Partial<GatewayAddresses>> {
    const { config, schemaAccessOf, supergraphs, isWorker, waitToListenUnready } = this.#options;
    if (options.listen === false) checkCallbackUrl(config);
    if (isWorker) {
      // Other workers serve requests meanwhile.
      await supergraphs.start(createSource(config, schemaAccessOf));
      if (supergraphs.current() === undefined) await Promise.race([this.ready, waitToListenUnready?.()]);
      return this.#listen(options);
    }
    // Listening first, so that health routes answer while the supergraph loads.
    const addresses = await this.#listen(options);
    await supergraphs.start(createSource(config, schemaAccessOf));
    return addresses;
  }

  async close(): Promise<void> {
    const { config, features, supergraphs, server, client } = this.#options;
    // One deadline for all steps.
    const deadline = performance.now() + config.listen.drainTimeout;
    await server.close();
    const remainingMs = (): number => Math.max(0, deadline - performance.now());
    for (const feature of features.toReversed()) await feature.stop?.(remainingMs());
    await supergraphs.close();
    await client.close();
    for (const feature of features.toReversed()) await feature.close?.(remainingMs());
  }

  async #listen(options: StartOptions): Promise<Partial<GatewayAddresses>> {
    const { config, features, server } = this.#options;
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
