import type { GatewayConfig } from '../config/schema.ts';
import { identityOf } from './identity.ts';

/** Who somebody is for limits. `headers`: names in lower case. `address`: that the connection comes from. */
export type ClientKey = (headers: ReadonlyMap<string, string>, address: string | undefined) => string;

/** By the identity as the cache knows it, else by the address: behind a proxy that is one for all. */
export function createClientKey({ cache }: GatewayConfig): ClientKey {
  return (headers, address) => {
    const identity = identityOf(cache.identity, headers);
    return identity === undefined ? `address ${address}` : `identity ${identity}`;
  };
}
