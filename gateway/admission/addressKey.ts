/** What clients without an identity share a limit by: their address, or its network of 64 bits for IPv6, the smallest that a
 *  provider assigns. A client of such a network has 2^64 addresses. */
export function addressKey(address: string | undefined): string {
  return `address ${address?.includes(':') === true ? networkOf(address) : address}`;
}

function networkOf(address: string): string {
  // An IPv4 address that is mapped to IPv6.
  if (address.includes('.')) return address;
  const [head = '', tail] = address.split('::');
  const groups = head === '' ? [] : head.split(':');
  // `::` stands for as many zeros as are missing.
  if (tail !== undefined) {
    const others = tail === '' ? [] : tail.split(':');
    while (groups.length + others.length < 8) groups.push('0');
    groups.push(...others);
  }
  return `${groups.slice(0, 4).join(':')}::/64`;
}
