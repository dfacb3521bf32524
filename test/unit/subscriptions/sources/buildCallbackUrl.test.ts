import { expect, test } from '@jest/globals';
import { buildCallbackUrl } from '../../../../gateway/subscriptions/sources/callbackReceiver.ts';

test.each(['http://gateway:4000', 'http://gateway:4000/', 'http://[::1]:4000/graph//'])(
  'the address of callbacks is below %s',
  (base) => {
    expect(new URL(buildCallbackUrl(base, 'id')).pathname).toBe(
      base.includes('graph') ? '/graph/callback/id' : '/callback/id',
    );
  },
);
