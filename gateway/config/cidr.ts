import { isIP } from 'node:net';

/** A range of IP addresses. */
interface AddressRange {
  readonly address: string;
  /** Bits that all addresses of the range have in common. */
  readonly prefix: number;
  readonly family: 'ipv4' | 'ipv6';
}

/** Parses a range in CIDR notation, or a single address. `undefined` for other text. */
export function parseCidr(text: string): AddressRange | undefined {
  const [, address = '', digits] = /^([^/]*)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const version = isIP(address);
  // An address with a zone belongs to one network interface of one machine.
  if (version === 0 || address.includes('%')) return undefined;
  const bits = version === 4 ? 32 : 128;
  const prefix = digits === undefined ? bits : Number(digits);
  return prefix > bits ? undefined : { address, prefix, family: version === 4 ? 'ipv4' : 'ipv6' };
}
