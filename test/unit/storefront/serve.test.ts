import { expect, test } from '@jest/globals';
import { startStorefront } from '../../../storefront/serve.ts';

test("the shop's server refuses to serve the demo's controls on a host that is not loopback", async () => {
  const options = { port: 0, host: '0.0.0.0', gatewayUrl: 'http://127.0.0.1:1/graphql', demo: () => {} };
  await expect(startStorefront(options)).rejects.toThrow(
    'The demo\'s controls are served only on a loopback host, not on "0.0.0.0".',
  );
});
