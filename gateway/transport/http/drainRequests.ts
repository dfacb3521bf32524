import { setTimeout as sleep } from 'node:timers/promises';
import { GatewayShutdownError } from '../../errors.ts';
import { yieldToEventLoop } from '../../time/yieldToEventLoop.ts';
import type { EventStreamRegistry } from '../event-streams/eventStreamRegistry.ts';
import type { WebSocketRegistry } from '../websocket/webSocketRegistry.ts';
import type { WorkerProxy } from '../workers/workerProxy.ts';
import { closeServer, type HttpListener } from './httpListener.ts';
import type { InFlightRequests } from './inFlightRequests.ts';

/** Milliseconds in which aborted requests may write their last payload. */
const lastPayloadTimeMs = 100;

interface DrainRequestsOptions {
  readonly inFlight: InFlightRequests;
  readonly webSockets: WebSocketRegistry;
  readonly eventStreams: EventStreamRegistry;
  readonly workerProxy: WorkerProxy | undefined;
  readonly publicListener: HttpListener;
  /** Milliseconds within which running requests may end. */
  readonly drainTimeout: number;
  readonly onRequestsEnded: (() => Promise<void>) | undefined;
}

/** Resolves when the running requests have ended or are aborted. Accepts connections until the requests have ended. */
export async function drainRequests({
  inFlight,
  webSockets,
  eventStreams,
  workerProxy,
  publicListener,
  drainTimeout,
  onRequestsEnded,
}: DrainRequestsOptions): Promise<void> {
  inFlight.abortSubscriptions(new GatewayShutdownError());
  webSockets.drain();
  eventStreams.drain();
  workerProxy?.drain();
  // Until then connections are accepted: a load balancer must be able to read that this process is not ready.
  const drained = Promise.all([inFlight.waitForEnd(), webSockets.waitForEnd()]).then(async () => {
    await onRequestsEnded?.();
    const closed = closeServer(publicListener);
    await inFlight.waitForEnd();
    await closed;
  });
  const timer = Promise.withResolvers<void>();
  const timeout = setTimeout(timer.resolve, drainTimeout);
  await Promise.race([drained, timer.promise]);
  clearTimeout(timeout);
  if (inFlight.size > 0 || webSockets.size > 0) {
    inFlight.abortAll(new GatewayShutdownError());
    webSockets.abortAll();
    // Aborted requests write their last payload or error at once, unless it is compressed first.
    await Promise.race([inFlight.waitForEnd(), sleep(lastPayloadTimeMs, undefined, { ref: false })]);
    await yieldToEventLoop();
  }
}
