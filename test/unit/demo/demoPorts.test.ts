import { expect, test } from '@jest/globals';
import { readDemoPorts } from '../../../scripts/demoPorts.ts';

const known = 'The options are --port N, --admin-port N, --storefront-port N, --subgraph-port N.';

test.each([
  ['an unknown option', ['--prot', '1'], {}, known],
  ['a port that is no number', ['--port', 'high'], {}, '--port: must be a port from 1 to 65535, not "high"'],
  [
    'a variable without a port',
    [],
    { STOREFRONT_PORT: '0' },
    'STOREFRONT_PORT: must be a port from 1 to 65535, not "0"',
  ],
  [
    'a first port without room for five subgraphs',
    ['--subgraph-port', '65532'],
    { SUBGRAPH_PORT: '1' },
    '--subgraph-port: must be a port from 1 to 65531, not "65532"',
  ],
  [
    'one port for two parts',
    ['--subgraph-port', '4199'],
    {},
    `Several parts of the demo have the same port:
  4200  shop                     --storefront-port or STOREFRONT_PORT
  4200  subgraph products        --subgraph-port or SUBGRAPH_PORT, the first of five`,
  ],
])('the ports of the demo are refused for %s', async (_what, args, environment, message) => {
  await expect(readDemoPorts(args, environment)).rejects.toThrow(message);
});
