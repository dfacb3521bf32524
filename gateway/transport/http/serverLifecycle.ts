import { setTimeout as sleep } from 'node:timers/promises';
import { GatewayShutdownError } from '../../errors.ts';
import type { TransportLog } from '../../telemetry/logger.ts';
import { shutdownStepMs } from '../../time/shutdownStepMs.ts';
import type { Timers } from '../../time/timers.ts';
import { withTimeout } from '../../time/withTimeout.ts';
import { yieldToEventLoop } from '../../time/yieldToEventLoop.ts';
import type { EventStreamRegistry } from '../event-streams/eventStreamRegistry.ts';
import type { WebSocketRegistry } from '../websocket/webSocketRegistry.ts';
import type { WorkerProxy } from '../workers/workerProxy.ts';
import { closeListener, closeServer, type HttpListener, startListening } from './httpListener.ts';
import type { InFlightRequests } from './inFlightRequests.ts';
import { listenAll } from './listenError.ts';
import type { StartOptions } from './mountedGateway.ts';

export interface HttpAddresses {
  /** URL of the GraphQL route. */
  readonly url: string | undefined;
  /** URL of the admin listener, without a path. */
  readonly adminUrl: string | undefined;
}

interface ServerLifecycleOptions {
  readonly publicListener: HttpListener;
  readonly listen: {
    readonly host: string;
    readonly port: number;
    readonly path: string;
    /** Milliseconds within which running requests may end. */
    readonly drainTimeout: number;
  };
  readonly adminListener: HttpListener | undefined;
  readonly admin: { readonly host: string; readonly port: number } | undefined;
  /** Whether other processes listen on the ports too. */
  readonly isPortShared: boolean;
  readonly inFlight: InFlightRequests;
  readonly webSockets: WebSocketRegistry;
  readonly eventStreams: EventStreamRegistry;
  readonly workerProxy: WorkerProxy | undefined;
  /** Aborted when the server starts to close. */
  readonly draining: AbortController;
  /** Connections are accepted until the promise resolves. */
  readonly onRequestsEnded: (() => Promise<void>) | undefined;
  readonly stopPlugins: () => Promise<void>;
  readonly timers: Timers;
  readonly log: TransportLog;
}

/** Milliseconds in which aborted requests may write their last payload. */
const lastPayloadTimeMs = 100;

/** Starts the listeners, and closes them when the running requests have ended. */
export class ServerLifecycle {
  state: 'created' | 'started' | 'closed' = 'created';
  isShuttingDown = false;
  readonly #options: ServerLifecycleOptions;
  #listening: Promise<HttpAddresses> | undefined;
  #closing: Promise<void> | undefined;
  /** These stay when a start fails after the listener has begun to listen: the next attempt does not listen again. */
  #publicAddress: string | undefined;
  #adminAddress: string | undefined;

  constructor(options: ServerLifecycleOptions) {
    this.#options = options;
  }

  /** See `HttpServer.listen`. */
  async listen(which: StartOptions): Promise<HttpAddresses> {
    if (this.#closing !== undefined) throw new GatewayShutdownError();
    this.#listening = this.#listen(which);
    return this.#listening;
  }

  async #listen({
    listen: listensPublicly = true,
    admin: listensForAdmin = true,
  }: StartOptions): Promise<HttpAddresses> {
    const { publicListener, listen, workerProxy } = this.#options;
    await workerProxy?.listen();
    await publicListener.routes.ready();
    if (this.#closing !== undefined) throw new GatewayShutdownError();
    await listenAll([
      ...(listensPublicly ? [this.#listenForClients()] : []),
      ...(listensForAdmin ? [this.#listenForOperators()] : []),
    ]);
    this.state = 'started';
    const address = this.#publicAddress;
    return {
      url: address === undefined ? undefined : `${address}${listen.path}`,
      adminUrl: this.#adminAddress,
    };
  }

  async #listenForClients(): Promise<void> {
    const { publicListener, listen, isPortShared } = this.#options;
    const options = { option: 'listen.port', ...listen, isPortShared, isForClients: true } as const;
    this.#publicAddress ??= await startListening(publicListener, options);
  }

  async #listenForOperators(): Promise<void> {
    const { adminListener, admin, isPortShared } = this.#options;
    if (adminListener === undefined || admin === undefined) return;
    const options = { option: 'admin.port', ...admin, isPortShared, isForClients: false } as const;
    this.#adminAddress ??= await startListening(adminListener, options);
  }

  /** Further calls wait for the first one. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const { publicListener, listen, adminListener, webSockets, workerProxy, draining, timers } =
      this.#options;
    const deadline = timers.now() + listen.drainTimeout;
    this.isShuttingDown = true;
    draining.abort();
    // A listener that is about to listen cannot be closed yet, and would listen afterwards.
    await this.#listening?.catch(() => {});
    await this.#drain();
    this.state = 'closed';
    webSockets.terminateAll();
    await closeListener(publicListener);
    await workerProxy?.close();
    if (adminListener !== undefined) await closeListener(adminListener);
    await this.#stopPlugins(deadline);
  }

  /** Resolves when the running requests have ended or are aborted. Accepts connections until the requests have ended. */
  async #drain(): Promise<void> {
    const { publicListener, listen, inFlight, webSockets, eventStreams, timers } = this.#options;
    inFlight.abortSubscriptions(new GatewayShutdownError());
    webSockets.drain();
    eventStreams.drain();
    this.#options.workerProxy?.drain();
    // Until then connections are accepted: a load balancer must be able to read that this process is not ready.
    const drained = Promise.all([inFlight.waitForEnd(), webSockets.waitForEnd()]).then(async () => {
      await this.#options.onRequestsEnded?.();
      const closed = closeServer(publicListener);
      await inFlight.waitForEnd();
      await closed;
    });
    await withTimeout(listen.drainTimeout, drained, timers);
    if (inFlight.size > 0 || webSockets.size > 0) {
      inFlight.abortAll(new GatewayShutdownError());
      webSockets.abortAll();
      // Aborted requests write their last payload or error at once, unless it is compressed first.
      await Promise.race([inFlight.waitForEnd(), sleep(lastPayloadTimeMs, undefined, { ref: false })]);
      await yieldToEventLoop();
    }
  }

  /** Plugins are code of the application: what they fail to end must not stay open with everything else. */
  async #stopPlugins(deadline: number): Promise<void> {
    const { listen, stopPlugins, timers, log } = this.#options;
    try {
      const hasStopped = await withTimeout(
        shutdownStepMs(deadline - timers.now(), listen.drainTimeout),
        stopPlugins().then(() => true),
        timers,
      );
      if (!hasStopped) throw new Error('A plugin did not end in time (listen.drainTimeout).');
    } catch (err) {
      log.error({ err }, 'Apollo Server plugins could not be stopped');
    }
  }
}
