import { isDeepStrictEqual } from 'node:util';
import { ConfigError } from '../config/configError.ts';
import { type ConfigOverrides, defaultConfigFile, loadConfig } from '../config/loadConfig.ts';
import type { GatewayConfig } from '../config/schema.ts';
import { messageOf } from '../errors.ts';
import { FileWatcher } from '../files/fileWatcher.ts';
import { keepRunning } from '../time/keepRunning.ts';
import { type ExitCode, exitCode } from './exitCode.ts';
import { ExtensionFiles } from './extensionFiles.ts';
import { printAddresses } from './printAddresses.ts';
import { runGateway } from './runGateway.ts';
import { Shutdown, shutDownAtStopSignals } from './shutdown.ts';

interface DevOptions extends Omit<ConfigOverrides, 'workers'> {
  readonly config?: string | undefined;
}

/** What is on in development unless the configuration says otherwise. */
export const developmentDefaults = {
  listen: { drainTimeout: '2s' },
  // The delay of a developer's machine is usually that of other programs, and one request after the other overloads nothing.
  overload: { eventLoopDelay: '0s' },
  security: {
    checkHost: true,
    introspection: true,
    graphiql: true,
    suggestions: true,
    exposeSubgraphErrors: true,
    exposeSubgraphs: true,
  },
  telemetry: { logFormat: 'pretty' },
};

/** Runs the gateway in this process until a stop signal arrives, and starts it again when its configuration or a file of its
 *  extensions changes. With an invalid configuration, the gateway continues with the last valid one. Resolves with the exit
 *  code.
 *  @throws {ConfigError} when the configuration is invalid at the start. */
export async function dev({ config: file, ...overrides }: DevOptions): Promise<number> {
  const load = () =>
    allowLocalPages(
      loadConfig({
        file,
        overrides: { ...overrides, workers: '1' },
        defaults: developmentDefaults,
        env: process.env,
      }),
    );
  const stop = new Shutdown(0);
  const gateways = new SuccessiveGateways(load(), file, stop);
  const watcher = new FileWatcher({
    files: [file ?? defaultConfigFile],
    read: async () => {
      gateways.reload(load);
      return true;
    },
  });
  const removeSignalListeners = shutDownAtStopSignals(stop, () => process.exit(exitCode.failed));
  process.on('uncaughtException', printUnloggedError);
  try {
    // A watcher does not keep the process running, and there may be no gateway until the next change.
    return await keepRunning(async () => {
      await watcher.start();
      return gateways.run();
    });
  } finally {
    await watcher.stop();
    removeSignalListeners();
    process.off('uncaughtException', printUnloggedError);
  }
}

/** Prints an error of an extension while no gateway runs. A gateway logs them. */
function printUnloggedError(error: unknown): void {
  if (process.listenerCount('uncaughtException') === 1) console.error(error);
}

const localOrigins = ['http', 'https'].flatMap((scheme) =>
  ['localhost', '*.localhost', '127.0.0.1', '[::1]'].map((host) => `${scheme}://${host}:*`),
);

/** Allows the pages of development servers, such as Vite's, besides the origins of the configuration, which are usually
 *  those of production. */
function allowLocalPages({ security, ...config }: GatewayConfig): GatewayConfig {
  const { cors } = security;
  return {
    ...config,
    security: { ...security, cors: { ...cors, origins: [...cors.origins, ...localOrigins] } },
  };
}

/** Gateways of which each has the ports of the one before. */
class SuccessiveGateways {
  readonly #stop: Shutdown;
  readonly #configFile: string | undefined;
  #config: GatewayConfig;
  #next: GatewayConfig | undefined;
  #lastProblem: string | undefined;
  /** Ends the running gateway. */
  #shutdown = new Shutdown(0);

  constructor(config: GatewayConfig, configFile: string | undefined, stop: Shutdown) {
    this.#config = config;
    this.#configFile = configFile;
    this.#stop = stop;
    void stop.requested.then(() => this.#shutdown.skipDelay());
  }

  /** Replaces the running gateway if the configuration has changed. */
  reload(load: () => GatewayConfig): void {
    try {
      const config = load();
      if (!isDeepStrictEqual(config, this.#next ?? this.#config)) this.#startAgain(config);
      else if (this.#lastProblem !== undefined)
        console.log('The configuration is valid again, and has not changed.');
      this.#lastProblem = undefined;
    } catch (error) {
      const problem = messageOf(error);
      if (problem === this.#lastProblem) return;
      this.#lastProblem = problem;
      const next = error instanceof ConfigError ? 'The gateway continues with the last valid one.' : '';
      console.error(`${problem}\n${next}`);
    }
  }

  #startAgain(config: GatewayConfig): void {
    this.#next = config;
    this.#shutdown.skipDelay();
  }

  async run(): Promise<ExitCode> {
    for (let isFirst = true; ; isFirst = false) {
      const files = new ExtensionFiles(this.#config.extensions.map(({ module }) => module));
      const watchFiles = () => files.watch(() => this.#startAgain(this.#next ?? this.#config));
      const code = await this.#runOne(watchFiles)
        .catch(async (error: unknown) => {
          if (isFirst) throw error;
          console.error(
            `The gateway cannot run: ${messageOf(error)}\nIt starts again when its configuration or a file of its extensions changes.`,
          );
          await watchFiles();
          await this.#shutdown.due;
          return exitCode.failed;
        })
        .finally(() => files.close());
      if (this.#next === undefined || this.#stop.isRequested) return code;
      const changed = this.#next === this.#config ? 'A file of an extension' : 'The configuration';
      console.log(`${changed} has changed: the gateway starts again.`);
      this.#config = this.#next;
      this.#next = undefined;
      this.#shutdown = new Shutdown(0);
    }
  }

  #runOne(watchFiles: () => Promise<void>): Promise<ExitCode> {
    const { graphiql } = this.#config.security;
    return runGateway(this.#config, this.#shutdown, {
      configFile: this.#configFile,
      onListening: (addresses) => {
        void watchFiles();
        printAddresses(addresses);
        if (graphiql) console.log(`GraphiQL: open ${addresses.url} in a browser`);
        console.log(`Insights: open ${addresses.adminUrl}/insights`);
        console.log(
          'Pages of localhost, on any port, may send requests to the gateway (security.cors.origins).',
        );
      },
    });
  }
}
