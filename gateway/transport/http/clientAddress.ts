import type { IncomingMessage } from 'node:http';
import { BlockList, isIP, SocketAddress } from 'node:net';
import { parseCidr } from '../../config/cidr.ts';
import { peerAddressOf } from '../workers/proxiedRequest.ts';

/** Reads the address of the client that sent a request: the only code that decides it. `undefined` after the connection was
 *  closed. */
export type ReadClientAddress = (request: IncomingMessage) => string | undefined;

/** Creates the reader of client addresses. `trustedProxies`: ranges of addresses (`listen.trustedProxies`). A hop is believed
 *  if the hop that reports it is trusted. */
export function createClientAddressReader(trustedProxies: readonly string[]): ReadClientAddress {
  if (trustedProxies.length === 0) return peerAddressOf;
  const trusted = new BlockList();
  for (const text of trustedProxies) {
    const range = parseCidr(text);
    if (range === undefined) throw new TypeError(`${JSON.stringify(text)} is not a range of addresses.`);
    trusted.addSubnet(range.address, range.prefix, range.family);
  }
  const isTrusted = (address: string): boolean => {
    const version = isIP(address);
    return version !== 0 && trusted.check(address, version === 4 ? 'ipv4' : 'ipv6');
  };
  return (request) => {
    const peer = peerAddressOf(request);
    const address = peer && normalizeAddress(peer);
    if (address === undefined || !isTrusted(address)) return address ?? peer;
    const { forwarded, 'x-forwarded-for': list } = request.headers;
    const resolve = (hops: readonly string[]): string => findClient(address, hops, isTrusted);
    const byForwarded = forwarded === undefined ? undefined : resolve(readForwarded(forwarded));
    const byList = list === undefined ? undefined : resolve(String(list).split(','));
    // Proxies set one header and pass the other one on as the client sent it. So if they disagree, one of them is forged.
    if (byForwarded !== undefined && byList !== undefined && byForwarded !== byList) return address;
    return byForwarded ?? byList ?? address;
  };
}

/** Follows the hops from right to left, as long as the hop that reports the next one is trusted. */
function findClient(peer: string, hops: readonly string[], isTrusted: (address: string) => boolean): string {
  let address = peer;
  for (let at = hops.length - 1; at >= 0 && isTrusted(address); at -= 1) {
    const hop = readHop(hops[at] ?? '');
    // The proxy does not say who sent the request, so that the proxy counts as the client.
    if (hop === undefined) return address;
    address = hop;
  }
  return address;
}

// RFC 7239, section 6.3: a proxy may name a client without its address.
const obfuscatedIdentifier = /^_[\w.-]+/;
const bracketed = /^\[([^\]]*)\](?::[\w.-]+)?$/;
const withPort = /^([^:]*):[\w.-]+$/;

/** The address or obfuscated identifier of a hop, without its port; `undefined` for `unknown` and for other text. */
function readHop(text: string): string | undefined {
  const hop = text.trim();
  const host = bracketed.exec(hop)?.[1] ?? withPort.exec(hop)?.[1] ?? hop;
  return obfuscatedIdentifier.exec(host)?.[0] === host ? host : normalizeAddress(host);
}

/** One spelling of each address, because limits compare the text: an IPv4 address that is mapped to IPv6 is that IPv4
 *  address. `undefined` for text that is not an address. */
function normalizeAddress(text: string): string | undefined {
  const [address = ''] = text.split('%');
  const version = isIP(address);
  if (version !== 6) return version === 4 ? address : undefined;
  const normal = new SocketAddress({ address, family: 'ipv6' }).address;
  return /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(normal)?.[1] ?? normal;
}

/** A parameter of a forwarded element with what follows it. */
const parameter = /\s*([\w!#$%&'*+.^`|~-]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s",;]*))\s*([,;]|$)/y;

/** The `for` of each element of a `forwarded` header (RFC 7239); `unknown` for an element without one. A header that cannot
 *  be read has one unknown hop. */
function readForwarded(header: string): string[] {
  const hops: string[] = [];
  let hop = 'unknown';
  let at = 0;
  while (at < header.length) {
    parameter.lastIndex = at;
    const match = parameter.exec(header);
    if (match === null) return ['unknown'];
    const [whole, name = '', quoted, token = '', separator] = match;
    if (name.toLowerCase() === 'for') hop = quoted?.replaceAll(/\\(.)/g, '$1') ?? token;
    if (separator !== ';') {
      hops.push(hop);
      hop = 'unknown';
    }
    at += whole.length;
  }
  return hops;
}
