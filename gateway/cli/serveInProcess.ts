import type { GatewayConfig } from '../config/schema.ts';
import { printAddresses } from './addresses.ts';
import { exitCode } from './exitCode.ts';
import { runGateway } from './runGateway.ts';
import { listenForStopSignals } from './stopSignals.ts';

/** The gateway in this process. Resolves with the exit code once a signal has come and it is drained. */
export async function serveInProcess(config: GatewayConfig): Promise<number> {
  const { promise: stopped, resolve: stop } = Promise.withResolvers<void>();
  const ignoreSignals = listenForStopSignals({
    onStop: stop,
    onForcedStop: () => process.exit(exitCode.failed),
  });
  try {
    await runGateway(config, stopped, printAddresses);
    return exitCode.success;
  } finally {
    ignoreSignals();
  }
}
