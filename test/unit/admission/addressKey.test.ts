import { expect, test } from '@jest/globals';
import { addressKey } from '../../../gateway/admission/addressKey.ts';

test.each([
  ['192.0.2.1', 'address 192.0.2.1'],
  ['::ffff:192.0.2.1', 'address ::ffff:192.0.2.1'],
  ['2001:db8:1:2:3:4:5:6', 'address 2001:db8:1:2::/64'],
  ['2001:db8:1:2::1', 'address 2001:db8:1:2::/64'],
  ['2001:db8::1:0:0:1', 'address 2001:db8:0:0::/64'],
  ['2001:db8::', 'address 2001:db8:0:0::/64'],
  ['::1', 'address 0:0:0:0::/64'],
  ['fe80::1%eth0', 'address fe80:0:0:0::/64'],
  ['_gazonk', 'address _gazonk'],
  [undefined, 'address undefined'],
])('the limits of the client at %s count for %s', (address, key) => {
  expect(addressKey(address)).toBe(key);
});
