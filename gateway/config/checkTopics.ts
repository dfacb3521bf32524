import { type ConfigProblem, formatConfigPath } from './configError.ts';
import { sectionOf } from './isSection.ts';

/** Streams are of a Redis, which has to be configured as well. `topics`: as it was written. */
export function checkTopics(topics: unknown, hasRedis: boolean): ConfigProblem[] {
  if (hasRedis) return [];
  return Object.entries(sectionOf(topics)).flatMap(([coordinate, topic]) => {
    const { stream } = sectionOf(topic);
    if (typeof stream !== 'string' || stream === '') return [];
    return [
      {
        path: formatConfigPath(['subscriptions', 'topics', coordinate, 'stream']),
        message: `is ${JSON.stringify(stream)}, and no Redis is configured`,
        expected:
          'one of `redis.url`, `redis.cluster` and `redis.sentinel` as well, or `topic` for events of this process',
      },
    ];
  });
}
