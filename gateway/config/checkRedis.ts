import { checkOrder } from './checkOrder.ts';
import type { ConfigProblem } from './configError.ts';
import { type Section, sectionOf } from './isSection.ts';
import { isTrue } from './isTrue.ts';
import { reconnectDefaults } from './sections/redis.ts';

/** Checks the rules between options of the section `redis`, which is given as it is in the file. */
export function checkRedis(redis: Section): ConfigProblem[] {
  const servers = redisServers(redis);
  const problems: ConfigProblem[] = [];
  if (servers.length > 1) {
    const message = `has ${servers.map((key) => `\`${key}\``).join(' and ')}`;
    problems.push({ path: 'redis', message, expected: 'only one of them; remove the others' });
  }
  if (servers.includes('cluster.nodes') && Number(redis.database) > 0) {
    problems.push({ path: 'redis.database', message: `is ${redis.database}`, expected: '0 with `cluster`' });
  }
  return [
    ...problems,
    ...(servers.length === 0 ? [] : checkTls(sectionOf(redis.tls), redis.url)),
    ...checkOrder(
      sectionOf(redis.reconnect),
      ['redis', 'reconnect'],
      ['minDelay', 'maxDelay'],
      reconnectDefaults,
    ),
  ];
}

/** The keys that configure Redis servers. */
export function redisServers(redis: Section): string[] {
  const hasNodes = (key: 'cluster' | 'sentinel') => {
    const { nodes } = sectionOf(redis[key]);
    return Array.isArray(nodes) && nodes.length > 0;
  };
  return [
    ...(typeof redis.url === 'string' && redis.url !== '' ? ['url'] : []),
    ...(hasNodes('cluster') ? ['cluster.nodes'] : []),
    ...(hasNodes('sentinel') ? ['sentinel.nodes'] : []),
  ];
}

/** Without TLS, passwords and data would be sent in plain text although the other options of `tls` are set. */
function checkTls(tls: Section, url: unknown): ConfigProblem[] {
  const isOn = isTrue(tls.enabled) || String(url).startsWith('rediss:');
  const isSet = (key: string): boolean => (tls[key] ?? '') !== '';
  const unused = isOn ? undefined : ['ca', 'certificate', 'key', 'serverName'].find(isSet);
  if (unused !== undefined) {
    return [
      {
        path: 'redis.tls.enabled',
        message: `is false, but redis.tls.${unused} is set`,
        expected: 'true, or a rediss:// address, or none of the other options of `tls`',
      },
    ];
  }
  if (isSet('certificate') === isSet('key')) return [];
  const [has, lacks] = isSet('key') ? ['key', 'certificate'] : ['certificate', 'key'];
  return [
    {
      path: `redis.tls.${lacks}`,
      message: `is missing, and \`${has}\` is set`,
      expected: 'both the certificate and its key, or neither',
    },
  ];
}
