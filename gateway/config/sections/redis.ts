import { z } from 'zod';
import { duration, flag, integer, nonBlankText, text } from '../scalars.ts';

export const reconnectDefaults = { minDelay: '50ms', maxDelay: '2s' } as const;

const anyText = (title = 'text') => text({ title, expected: 'text', isValid: () => true });

const address = text({
  title: 'address',
  expected: 'a redis:// or rediss:// address such as redis://localhost:6379/0, or nothing',
  isValid: (value) => value === '' || isRedisAddress(value),
});

function isRedisAddress(value: string): boolean {
  if (!/^rediss?:\/\//.test(value) || !URL.canParse(value)) return false;
  const { hostname, pathname } = new URL(value);
  return hostname !== '' && /^\/?\d*$/.test(pathname);
}

const hostAndPort = text({
  title: 'host:port',
  expected: 'a host and a port, such as redis-1.internal:6379',
  isValid: (value) => /^[^/@?#]+:\d+$/.test(value) && URL.canParse(`redis://${value}`),
});

const keyPrefix = text({
  title: 'text',
  expected: 'text without { and }, which decide on the place of a key in a Cluster',
  isValid: (value) => !/[{}]/.test(value),
});

export const redisSection = z
  .strictObject({
    url: address
      .describe(
        'One server. `rediss://` for TLS; user, password and the number of the database may be in it. Empty, and neither `cluster` nor `sentinel`: everything is kept in process.',
      )
      .prefault(''),
    cluster: z
      .strictObject({
        nodes: z
          .array(hostAndPort)
          .describe('Instead of `url`: some nodes of a Redis Cluster; the others are found by them.')
          .prefault([]),
        buckets: integer({ min: 1, max: 1_024 })
          .describe(
            'Parts that entries are divided into, spread evenly over the slots. More spread better over many masters; fewer make reads and invalidations cheaper. All processes need the same number.',
          )
          .prefault(32),
      })
      .prefault({}),
    sentinel: z
      .strictObject({
        nodes: z
          .array(hostAndPort)
          .describe('Instead of `url`: Sentinels, which know the master.')
          .prefault([]),
        name: nonBlankText("the master's name").describe("The master's name there.").prefault('mymaster'),
        username: anyText().describe('For the Sentinels.').prefault(''),
        password: anyText('secret').describe('For the Sentinels.').prefault(''),
      })
      .prefault({}),
    username: anyText().describe('For the servers, unless it is in `url`.').prefault(''),
    password: anyText('secret').describe('For the servers, unless it is in `url`.').prefault(''),
    database: integer()
      .describe('Number of the database, unless it is in `url`. A Cluster has only 0.')
      .prefault(0),
    tls: z
      .strictObject({
        enabled: flag()
          .describe('TLS to servers and Sentinels. `rediss://` needs no other word.')
          .prefault(false),
        ca: anyText()
          .describe('Path of a PEM file with the authorities to trust, instead of the usual ones.')
          .prefault(''),
        certificate: anyText().describe('Path of a PEM file: the certificate to show.').prefault(''),
        key: anyText().describe('Path of a PEM file: the key of `certificate`.').prefault(''),
        serverName: anyText()
          .describe('Name that the server proves to be, if it is not that of its address.')
          .prefault(''),
      })
      .prefault({}),
    keyPrefix: keyPrefix
      .describe('Begins every key and channel. Gateways with different supergraphs need different ones.')
      .prefault('tributary:'),
    timeouts: z
      .strictObject({
        read: duration({ min: 1 })
          .describe('Longest a request waits for an entry; then it is as if it were not there.')
          .prefault('20ms'),
        connect: duration({ min: 1 }).describe('Longest one attempt to connect may take.').prefault('1s'),
        socket: duration({ min: 1 })
          .describe(
            'A connection on which nothing comes for so long, though something is expected, is ended.',
          )
          .prefault('500ms'),
        invalidation: duration({ min: 1 })
          .describe('Longest an invalidation is waited for; then it goes on by itself.')
          .prefault('2s'),
        heartbeat: duration({ min: 1 })
          .describe('Time between two looks whether invalidations of other processes can still be heard.')
          .prefault('250ms'),
      })
      .prefault({}),
    reconnect: z
      .strictObject({
        minDelay: duration({ min: 1 })
          .describe('Time before the first attempt to connect again; it doubles with each.')
          .prefault(reconnectDefaults.minDelay),
        maxDelay: duration({ min: 1 })
          .describe('Longest time between two attempts.')
          .prefault(reconnectDefaults.maxDelay),
      })
      .prefault({}),
    maxInFlight: integer({ min: 1 })
      .describe('Most commands that wait for an answer. What would be more is not read, or not stored.')
      .prefault(2_000),
  })
  .describe('The Redis that several processes share.');
