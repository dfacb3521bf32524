import { z } from 'zod';
import { nonBlankText, text } from '../scalars.ts';

const topic = z
  .strictObject({
    stream: nonBlankText('the key of a Redis stream')
      .describe(
        'Whole key of a Redis stream, without `redis.keyPrefix`: JSON in the field `event` of its entries. Every process reads it while somebody listens, and clients that come back get what they have missed, as far as the stream still has it.',
      )
      .optional(),
    topic: nonBlankText('the name of a topic')
      .describe(
        'Instead of a stream: name under which the program that holds the gateway publishes in its own process, with `publish(topic, event)`.',
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
        'An event is only for clients whose argument has the value at this path in the event, and for those that leave the argument out or give null. An argument of the field that is not named here changes nothing.',
      )
      .prefault({}),
  })
  .superRefine((value, context) => {
    if ((value.stream === undefined) !== (value.topic === undefined)) return;
    context.issues.push({ code: 'custom', input: value, message: 'either `stream` or `topic`' });
  });

/** The part of the section `subscriptions` that says which fields are fed by topics instead of subgraphs. */
export const subscriptionTopicOptions = {
  topics: z
    .record(
      z
        .string()
        .regex(
          /^[_A-Za-z][_0-9A-Za-z]*\.[_A-Za-z][_0-9A-Za-z]*$/,
          'a field such as `Subscription.stockChanged`',
        ),
      topic,
    )
    .meta({ title: 'topic by field' })
    .describe(
      'Fields of the subscription type that are fed by a topic, by their coordinates such as `Subscription.stockChanged`. No subgraph is subscribed at. An event is an object with `__typename`, the fields of a key, and whatever else it has; what else is selected is asked for.',
    )
    .prefault({}),
};
