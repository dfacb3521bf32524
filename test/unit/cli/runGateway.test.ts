import { expect, test } from '@jest/globals';
import { runGateway } from '../../../gateway/cli/runGateway.ts';
import { Shutdown } from '../../../gateway/cli/shutdown.ts';
import { parseConfig } from '../../../gateway/config/parseConfig.ts';
import type { GatewayConfig } from '../../../gateway/config/schema.ts';

test('a gateway whose creation ends after the shutdown was requested is closed', async () => {
  const closed = Promise.withResolvers<void>();
  const config = {
    ...parseConfig({ supergraph: { file: 'missing.graphql' }, telemetry: { logLevel: 'silent' } }),
    extensions: [{ name: 'late', close: () => closed.resolve() }],
  } as unknown as GatewayConfig;
  const shutdown = new Shutdown(0);
  shutdown.request();
  const fail = () => {
    throw new Error('The gateway must not start.');
  };
  const options = { configFile: undefined, onListening: fail, onFatalError: fail };
  expect(await runGateway(config, shutdown, options)).toBe(0);
  await closed.promise;
});
