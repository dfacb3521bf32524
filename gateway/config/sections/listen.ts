import { z } from 'zod';
import { duration, integer, nonBlankText, text } from '../scalars.ts';

const host = () => nonBlankText('a host name or an IP address');
const port = () => integer({ min: 0, max: 65_535 });

export const listenerDefaults = { host: '127.0.0.1', port: 4000, adminPort: 4001 };

export const listenSection = z
  .strictObject({
    host: host()
      .describe('Host name or address to listen on; `0.0.0.0` for all. `--host` overrides it.')
      .prefault(listenerDefaults.host),
    port: port()
      .describe('TCP port; 0 takes any free one. `--port` overrides it.')
      .prefault(listenerDefaults.port),
    path: text({
      title: 'path',
      expected: 'a path that begins with / and has no ? or #',
      isValid: (value) => /^\/[^?#\s]*$/.test(value),
    })
      .describe('Path of the GraphQL route.')
      .prefault('/graphql'),
    publicUrl: text({
      title: 'address',
      expected: 'an http:// or https:// address without ? and #, or nothing',
      isValid: (value) => value === '' || (/^https?:\/\/[^?#]+$/i.test(value) && URL.canParse(value)),
    })
      .describe(
        'Where subgraphs reach this listener: what they send for subscriptions by `http_callback` goes to `/callback/…` below it. When empty, it is made of host and port; a host that means all addresses, such as `0.0.0.0` and `::`, is none to be reached at, and needs this.',
      )
      .prefault(''),
    keepAliveTimeout: duration()
      .describe(
        'How long a connection without a request is kept. It has to be longer than a proxy in front keeps its own, or that proxy sends requests on connections that are just being closed, and its clients get 502.',
      )
      .prefault('75s'),
    drainTimeout: duration()
      .describe(
        'How long running requests, and enrichments that are late, may take to end after SIGTERM; then they are cut off.',
      )
      .prefault('30s'),
  })
  .describe('The public listener.');

export const adminSection = z
  .strictObject({
    host: host()
      .describe('Host name or address to listen on. Keep it off the public network.')
      .prefault(listenerDefaults.host),
    port: port().describe('TCP port; 0 takes any free one.').prefault(listenerDefaults.adminPort),
  })
  .describe('The admin listener: what operators see and clients must not.');
