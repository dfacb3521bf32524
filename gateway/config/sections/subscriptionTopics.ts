import { z } from 'zod';
import { oneOf } from '../oneOf.ts';
import { fieldCoordinate, nonBlankText, text } from '../scalars.ts';

const topic = z
  .strictObject({
    stream: nonBlankText('the key of a Redis stream')
      .describe(
        'Full key of a Redis stream, without `redis.keyPrefix`. Its entries have JSON in the field `event`. Every process with subscribers reads the stream. Clients that reconnect get the events that they missed, if the stream still has them.',
      )
      .optional(),
    topic: nonBlankText('the name of a topic')
      .describe(
        'Instead of a stream: name of a topic of the same process, to which the embedding program publishes with `gateway.publish(topic, event)`.',
      )
      .optional(),
    filter: z
      .record(
        z.string().regex(/^[_A-Za-z][_0-9A-Za-z]*$/, 'the name of an argument'),
        text({
          title: 'path',
          expected: 'a path in the event such as `warehouseId` or `warehouse.id`',
          isValid: (value) => /^[_A-Za-z][_0-9A-Za-z]*(\.[_A-Za-z][_0-9A-Za-z]*)*$/.test(value),
        }),
      )
      .meta({ title: 'path by argument' })
      .describe(
        'An event is sent to a client if the argument equals the value at this path in the event, or if the client omits the argument or passes null. Arguments without a path do not filter.',
      )
      .prefault({}),
  })
  .superRefine(oneOf('stream', 'topic', true));

/** The options of the section `subscriptions` for fields that topics feed instead of subgraphs. */
export const subscriptionTopicOptions = {
  topics: z
    .record(fieldCoordinate('Subscription.stockChanged'), topic)
    .meta({ title: 'topic by field' })
    .describe(
      'Subscription fields that a topic feeds instead of a subgraph, by coordinate, such as `Subscription.stockChanged`. An event is an object with `__typename`, the fields of a key and any other fields. Selected fields that the event lacks are fetched from subgraphs.',
    )
    .prefault({}),
};
