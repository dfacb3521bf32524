import { z } from 'zod';
import { anyText, duration, flag, integer, nonBlankText, pemFile, text } from '../scalars.ts';

export const reconnectDefaults = { minDelay: '50ms', maxDelay: '2s' } as const;

const address = text({
  title: 'address',
  expected:
    'a redis:// or rediss:// address such as redis://localhost:6379/0, without ? and #, with special characters of a password as %2F, or nothing',
  isValid: (value) => value === '' || isRedisAddress(value),
});

function isRedisAddress(value: string): boolean {
  // Of a password with `#`, what precedes it could be read as a port.
  if (!/^rediss?:\/\/[^?#]+$/.test(value) || !URL.canParse(value)) return false;
  const { hostname, pathname, username, password } = new URL(value);
  return hostname !== '' && /^\/?\d*$/.test(pathname) && [username, password].every(isDecodable);
}

function isDecodable(text: string): boolean {
  try {
    return decodeURIComponent(text) !== undefined;
  } catch {
    return false;
  }
}

const hostAndPort = text({
  title: 'host:port',
  expected: 'a host and a port, such as redis-1.internal:6379',
  isValid: (value) => /^[^/@?#]+:\d+$/.test(value) && URL.canParse(`redis://${value}`),
});

const keyPrefix = text({
  title: 'text',
  expected: 'text without { and }, which determine the slot of a key in a Cluster',
  isValid: (value) => !/[{}]/.test(value),
});

export const redisSection = z
  .strictObject({
    url: address
      .describe(
        'Address of one server, with user, password and database number if needed. `rediss://` uses TLS. If this, `cluster` and `sentinel` are empty, all state stays in the process.',
      )
      .prefault(''),
    cluster: z
      .strictObject({
        nodes: z
          .array(hostAndPort)
          .describe('Instead of `url`: some nodes of a Redis Cluster. The gateway discovers the others.')
          .prefault([]),
        buckets: integer({ min: 1, max: 1_024 })
          .describe(
            'Number of buckets for cache entries, spread evenly over the slots. More buckets use many masters evenly; fewer make reads and invalidations cheaper. All processes need the same number.',
          )
          .prefault(32),
      })
      .prefault({}),
    sentinel: z
      .strictObject({
        nodes: z
          .array(hostAndPort)
          .describe('Instead of `url`: the Sentinels that monitor the master.')
          .prefault([]),
        name: nonBlankText("the master's name")
          .describe("The master's name in the Sentinels.")
          .prefault('mymaster'),
        username: anyText().describe('User of the Sentinels.').prefault(''),
        password: anyText('secret').describe('Password of the Sentinels.').prefault(''),
      })
      .prefault({}),
    username: anyText().describe('User of the servers, unless it is in `url`.').prefault(''),
    password: anyText('secret').describe('Password of the servers, unless it is in `url`.').prefault(''),
    database: integer()
      .describe('Number of the database, unless it is in `url`. A Cluster has only database 0.')
      .prefault(0),
    tls: z
      .strictObject({
        enabled: flag()
          .describe('Use TLS for servers and Sentinels. Not needed with `rediss://`.')
          .prefault(false),
        ca: pemFile()
          .describe(
            'Path of a PEM file with the trusted certificate authorities, instead of the default ones. Like the other files of `redis.tls`, it is read when the gateway starts.',
          )
          .prefault(''),
        certificate: pemFile().describe('Path of a PEM file with the client certificate.').prefault(''),
        key: pemFile().describe('Path of a PEM file with the key of `certificate`.').prefault(''),
        serverName: anyText()
          .describe('Expected name in the certificate of the server, if it differs from the host name.')
          .prefault(''),
      })
      .prefault({}),
    keyPrefix: keyPrefix
      .describe(
        'Prefix of all keys and channels. Gateways with different supergraphs need different prefixes.',
      )
      .prefault('tributary:'),
    timeouts: z
      .strictObject({
        read: duration({ min: 1 })
          .describe('How long a request waits for a cache entry. After that it is a miss.')
          .prefault('20ms'),
        connect: duration({ min: 1 }).describe('Timeout of one connection attempt.').prefault('1s'),
        socket: duration({ min: 1 })
          .describe('A connection without an expected reply for this long is closed.')
          .prefault('500ms'),
        invalidation: duration({ min: 1 })
          .describe(
            'How long a request waits for an invalidation. After that it continues in the background.',
          )
          .prefault('2s'),
        heartbeat: duration({ min: 1 })
          .describe('Interval of the check whether invalidations of other processes still arrive.')
          .prefault('250ms'),
      })
      .prefault({}),
    reconnect: z
      .strictObject({
        minDelay: duration({ min: 1 })
          .describe('Delay before the first reconnection attempt. It doubles with each attempt.')
          .prefault(reconnectDefaults.minDelay),
        maxDelay: duration({ min: 1 })
          .describe('Longest delay between two attempts.')
          .prefault(reconnectDefaults.maxDelay),
      })
      .prefault({}),
    maxInFlight: integer({ min: 1 })
      .describe(
        'Maximum number of unanswered commands. Further reads are misses, and further writes are dropped.',
      )
      .prefault(2_000),
  })
  .describe('The Redis that several processes share.');
