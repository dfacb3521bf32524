import cluster from 'node:cluster';
import { ConfigError, type ConfigProblem } from '../config/configError.ts';
import type { GatewayConfig } from '../config/schema.ts';
import { describeThrown } from '../extensions/loadExtensions.ts';
import type { Logger } from '../telemetry/logger.ts';
import { failCurrentRequest } from '../transport/http/requestScope.ts';
import { exitCode } from './exitCode.ts';

/** Logs errors that no code has caught, and ends the request whose code caused the error: the other requests continue. An
 *  exception outside of any request may have left shared state inconsistent, so that `onFatalError` is called, or the error
 *  is only logged if there is none. A rejection interrupts no other code, and is only logged. Returns a function that
 *  removes the handler. */
export function handleUnhandledErrors(log: Logger, onFatalError: (() => void) | undefined): () => void {
  const handle = (err: unknown, origin: NodeJS.UncaughtExceptionOrigin): void => {
    if (failCurrentRequest()) {
      log.error({ err, origin }, 'An unhandled error ended a request');
    } else if (origin === 'unhandledRejection') {
      log.error({ err, origin }, 'A promise was rejected without a handler');
    } else if (onFatalError === undefined) {
      log.error({ err, origin }, 'An unhandled error belongs to no request; it would end tributary serve');
    } else {
      log.fatal({ err, origin }, 'An unhandled error ends this process, after its running requests');
      onFatalError();
    }
  };
  process.on('uncaughtException', handle);
  return () => process.off('uncaughtException', handle);
}

/** Calls `onProblem` for errors that no code catches while extensions are created, such as that of a timer. Without a
 *  handler, Node ends the process with their stack alone. Returns a function that removes the handler. */
export function reportUncaughtErrors(
  { extensions }: GatewayConfig,
  onProblem: (problem: ConfigProblem) => void,
): () => void {
  // Without extensions, the error is one of the gateway, whose stack is needed.
  if (extensions.length === 0) return () => {};
  const report = (error: unknown): void =>
    onProblem({
      path: 'extensions',
      message: `have an error that no code catches: ${describeThrown(error)}`,
      expected: 'an `await`, a `catch` or an `error` listener for it',
    });
  process.on('uncaughtException', report);
  return () => process.off('uncaughtException', report);
}

/** Prints which line of an extension ends the process. Exit code 0 becomes that of a wrong configuration, because an
 *  orchestrator would take it for success. Returns a function that removes the listener. */
export function reportExits({ extensions }: GatewayConfig): () => void {
  if (extensions.length === 0) return () => {};
  const report = (code: number): void => {
    // Node's cluster module ends a worker whose supervisor was killed.
    if (cluster.isWorker && !process.connected) return;
    const error = new Error('have ended the process');
    // process.exit() calls the listener, so that the first location in the remaining stack is that of its caller.
    Error.captureStackTrace(error, report);
    const expected = 'extensions without `process.exit()`';
    console.error(
      new ConfigError([{ path: 'extensions', message: describeThrown(error), expected }]).message,
    );
    if (code === exitCode.success) process.exitCode = exitCode.usageError;
  };
  process.on('exit', report);
  return () => process.off('exit', report);
}
