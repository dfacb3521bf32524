import { z } from 'zod';
import { parseCidr } from '../cidr.ts';
import { text } from '../scalars.ts';

const range = text({
  title: 'address range',
  expected: 'an IP address or a range of addresses, such as 10.0.0.0/8 or fd00::/8',
  isValid: (value) => parseCidr(value) !== undefined,
});

export const trustedProxies = z
  .array(range)
  .describe(
    'Addresses of the proxies whose `x-forwarded-for` or `forwarded` header is believed. The address of a client, for limits and logs, is the right-most one in the header that is not in this list. Empty: it is the address of the connection. List only proxies that clients cannot send requests around: a client that connects from a listed address can pretend any address.',
  )
  .prefault([]);
