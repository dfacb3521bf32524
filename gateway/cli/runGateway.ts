import { ConfigError } from '../config/configError.ts';
import { rethrowWithLines } from '../config/loadConfig.ts';
import type { GatewayConfig } from '../config/schema.ts';
import { createGateway, type GatewayDependencies } from '../gateway.ts';
import { createConfiguredLogger } from '../telemetry/logger.ts';
import type { GatewayAddresses } from '../transport/http/mountedGateway.ts';
import { type ExitCode, exitCode } from './exitCode.ts';
import type { Shutdown } from './shutdown.ts';
import { handleUnhandledErrors, reportExits, reportUncaughtErrors } from './unhandledErrors.ts';

interface RunGatewayOptions {
  /** Path of the configuration file, whose lines an invalid configuration is reported with. */
  readonly configFile: string | undefined;
  readonly onListening: (addresses: GatewayAddresses) => void;
  /** Called when the first supergraph is in use. */
  readonly onReady?: () => void;
  /** Called at an error that belongs to no request. Must request the shutdown. Omitted where the gateway continues. */
  readonly onFatalError?: () => void;
  readonly dependencies?: GatewayDependencies;
}

/** Runs a gateway until the shutdown is due and the gateway is drained. A request to shut down also aborts the start,
 *  which may wait for a supergraph for an unlimited time. Resolves with the exit code. */
export function runGateway(
  config: GatewayConfig,
  shutdown: Shutdown,
  options: RunGatewayOptions,
): Promise<ExitCode> {
  const removeExitListener = reportExits(config);
  // From then on, further stop signals may end the process.
  void shutdown.requested.then(removeExitListener);
  return createAndRun(config, shutdown, options).finally(removeExitListener);
}

async function createAndRun(
  config: GatewayConfig,
  shutdown: Shutdown,
  { configFile, onListening, onReady, onFatalError, dependencies }: RunGatewayOptions,
): Promise<ExitCode> {
  const logger =
    dependencies?.logger ?? (await createConfiguredLogger(config.telemetry, dependencies?.worker?.name));
  const rethrow = (error: unknown): never => rethrowWithLines(error, configFile);
  const uncaught = Promise.withResolvers<never>();
  // Where the gateway continues, `tributary dev` prints such an error.
  const removeStartHandler =
    onFatalError && reportUncaughtErrors(config, (problem) => uncaught.reject(new ConfigError([problem])));
  const creating = createGateway(config, { ...dependencies, logger });
  const gateway = await Promise.race([creating, uncaught.promise, shutdown.requested])
    .catch(rethrow)
    .finally(removeStartHandler);
  if (gateway === undefined) {
    // Long steps, such as the setup of an extension, cannot be aborted. `tributary dev` continues in this process.
    creating.then((created) => created.close()).catch(() => {});
    return exitCode.success;
  }
  let hasFailed = false;
  const fail = (): void => {
    hasFailed = true;
    onFatalError?.();
  };
  const removeErrorHandler = handleUnhandledErrors(logger, onFatalError && fail);
  try {
    // `ready` rejects when the gateway is closed before its first supergraph.
    void gateway.ready.then(onReady, () => {});
    const addresses = await Promise.race([gateway.start().catch(rethrow), shutdown.requested]);
    // A load balancer does not yet send requests to a gateway that has not started.
    if (addresses !== undefined) {
      onListening(addresses);
      await shutdown.requested;
      gateway.announceShutdown();
      await shutdown.due;
    }
  } finally {
    await gateway.close();
    removeErrorHandler();
  }
  return hasFailed ? exitCode.failed : exitCode.success;
}
