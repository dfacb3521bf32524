import { z } from 'zod';
import { baseUrl, duration, integer, nonBlankText, text } from '../scalars.ts';
import { compression } from './compression.ts';
import { listenTls } from './listenTls.ts';
import { trustedProxies } from './trustedProxies.ts';

const host = () => nonBlankText('a host name or an IP address');
const port = () => integer({ min: 0, max: 65_535 });

export const listenerDefaults = { host: '127.0.0.1', port: 4000, adminPort: 4001 };

export const listenTimeoutDefaults = { headers: '60s', request: '5m' } as const;

export const listenSection = z
  .strictObject({
    host: host()
      .describe('Host name or address to listen on; `0.0.0.0` for all addresses. `--host` overrides it.')
      .prefault(listenerDefaults.host),
    port: port()
      .describe('TCP port; 0 selects a free port. `--port` overrides it.')
      .prefault(listenerDefaults.port),
    path: text({
      title: 'path',
      expected: 'a path that begins with /, without ? and #, with special characters as %20',
      // As clients send it. Any other path is one that no request has.
      isValid: (value) => value.startsWith('/') && URL.parse(value, 'http://gateway')?.pathname === value,
    })
      .describe('Path of the GraphQL route.')
      .prefault('/graphql'),
    publicUrl: baseUrl()
      .describe(
        'Base URL at which subgraphs reach this listener. Callbacks for subscriptions with `http_callback` go to `/callback/…` below it. When empty, it is built from host and port. It is required with `http_callback` when the host is `0.0.0.0` or `::`.',
      )
      .prefault(''),
    tls: listenTls,
    compression,
    trustedProxies,
    timeouts: z
      .strictObject({
        headers: duration({ min: 1 })
          .describe(
            'Time for the headers of a request to arrive, from the first byte, or from the opening of the connection for its first request. A slower client gets 408, and its connection is closed.',
          )
          .prefault(listenTimeoutDefaults.headers),
        request: duration({ min: 1 })
          .describe('Time for a whole request to arrive, with its body. A slower client gets 408, as above.')
          .prefault(listenTimeoutDefaults.request),
        keepAlive: duration({ min: 1 })
          .describe(
            'Time after which an idle connection is closed. It must be longer than the keep-alive timeout of a proxy in front of the gateway. Otherwise the proxy sends requests on connections that are being closed, and its clients get 502.',
          )
          .prefault('75s'),
      })
      .describe('Time limits of connections, on both listeners.')
      .prefault({}),
    shutdownDelay: duration()
      .describe(
        'Time after SIGTERM in which the gateway is not ready (`GET /health/ready`), but still accepts connections and serves requests, so that load balancers notice before connections are refused. Longer than the interval of their health checks; `0s` without a load balancer. SIGINT (Ctrl-C), SIGHUP and a second SIGTERM skip it.',
      )
      .prefault('2s'),
    drainTimeout: duration()
      .describe(
        'Maximum time for running requests and pending enrichments after SIGTERM and `shutdownDelay`. Afterwards they are aborted.',
      )
      .prefault('30s'),
  })
  .describe('The public listener.');

export const adminSection = z
  .strictObject({
    host: host()
      .describe('Host name or address to listen on. It must not be reachable from the public network.')
      .prefault(listenerDefaults.host),
    port: port()
      .describe('TCP port; 0 selects a free port. `--admin-port` overrides it.')
      .prefault(listenerDefaults.adminPort),
  })
  .describe('The admin listener, for operators. It has no authentication.');
