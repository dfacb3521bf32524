import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { isWebSocketUpgrade } from '../websocket/webSocketRegistry.ts';

/** The WebSockets of one gateway on a server of the application. */
interface UpgradeMount {
  /** Whether the path of an upgrade is the gateway's. */
  owns(request: IncomingMessage): boolean;
  /** Handles an upgrade, and refuses one that the gateway does not own. */
  handle(request: IncomingMessage, socket: Duplex, head: Buffer): void;
}

/** Node reads the property for each request, from version 24.9 on. */
type UpgradeServer = Server & { shouldUpgradeCallback?: (request: IncomingMessage) => boolean };

interface SharedListener {
  readonly mounts: Set<UpgradeMount>;
  /** Removes the listener from the server. */
  remove(): void;
}

/** Several gateways on one server share a listener: with one each, none could know whether another one answers. */
const listeners = new WeakMap<Server, SharedListener>();

/** Adds the WebSockets of a gateway to a server, and returns a function that removes them. An upgrade that no gateway owns
 *  is refused by one of them, or left to the other listeners of the server if there are any. */
export function addUpgradeMount(server: Server, mount: UpgradeMount): () => void {
  const listener = listeners.get(server) ?? createListener(server);
  listener.mounts.add(mount);
  return () => {
    listener.mounts.delete(mount);
    if (listener.mounts.size === 0) listener.remove();
  };
}

function createListener(server: UpgradeServer): SharedListener {
  const mounts = new Set<UpgradeMount>();
  const hasOtherListeners = (): boolean => server.listenerCount('upgrade') > 1;
  // Node emits upgrades to listeners only. Without another one, no listener would answer those that no gateway owns.
  const onUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    if (!hasOtherListeners()) mounts.values().next().value?.handle(request, socket, head);
  };
  // A listener alone would make Node hand it each request with `Upgrade: h2c`, which would get no normal response any more.
  const { shouldUpgradeCallback } = server;
  const shouldUpgrade = (request: IncomingMessage): boolean =>
    isWebSocketUpgrade(request) ||
    (hasOtherListeners() && (shouldUpgradeCallback?.call(server, request) ?? true));
  server.on('upgrade', onUpgrade);
  server.shouldUpgradeCallback = shouldUpgrade;
  // Other listeners, such as that of `@fastify/websocket`, take every upgrade. They never see those of a gateway: a socket
  // that two listeners take breaks, or ends the process.
  const { emit } = server;
  const emitUnlessOwned = (event: string | symbol, ...parameters: unknown[]): boolean => {
    if (event === 'upgrade') {
      const [request, socket, head] = parameters as [IncomingMessage, Duplex, Buffer];
      const owner = [...mounts].find((mount) => mount.owns(request));
      if (owner !== undefined) {
        owner.handle(request, socket, head);
        return true;
      }
    }
    return emit.call(server, event, ...parameters);
  };
  server.emit = emitUnlessOwned;
  const remove = (): void => {
    server.off('upgrade', onUpgrade);
    if (shouldUpgradeCallback === undefined) delete server.shouldUpgradeCallback;
    else server.shouldUpgradeCallback = shouldUpgradeCallback;
    // Without mounts it changes nothing, for a library that has wrapped it.
    if (server.emit === emitUnlessOwned) server.emit = emit;
    listeners.delete(server);
  };
  const listener = { mounts, remove };
  listeners.set(server, listener);
  return listener;
}
