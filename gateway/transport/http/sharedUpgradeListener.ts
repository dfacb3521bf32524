import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';

/** The WebSockets of one gateway on a server of the application. */
export interface UpgradeMount {
  /** Whether the path of an upgrade is the gateway's. */
  owns(request: IncomingMessage): boolean;
  /** Handles an upgrade, and refuses one that the gateway does not own. */
  handle(request: IncomingMessage, socket: Duplex, head: Buffer): void;
}

interface SharedListener {
  readonly mounts: Set<UpgradeMount>;
  readonly onUpgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
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
    if (listener.mounts.size > 0) return;
    server.off('upgrade', listener.onUpgrade);
    listeners.delete(server);
  };
}

function createListener(server: Server): SharedListener {
  const mounts = new Set<UpgradeMount>();
  const onUpgrade: SharedListener['onUpgrade'] = (request, socket, head) => {
    const all = [...mounts];
    const owner = all.find((mount) => mount.owns(request));
    // Without another listener, nothing else would answer.
    const hasOtherListeners = server.listenerCount('upgrade') > 1;
    (owner ?? (hasOtherListeners ? undefined : all[0]))?.handle(request, socket, head);
  };
  const listener = { mounts, onUpgrade };
  listeners.set(server, listener);
  server.on('upgrade', onUpgrade);
  return listener;
}
