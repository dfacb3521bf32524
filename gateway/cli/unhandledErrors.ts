import type { Logger } from '../telemetry/logger.ts';
import { failCurrentRequest } from '../transport/http/requestScope.ts';

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
