import { z } from 'zod';
import { choice, duration, ratio, text } from '../scalars.ts';

/** The priorities of requests, most urgent first. */
const priorities = ['critical', 'normal', 'background'] as const;

const operationName = text({
  title: 'operation name',
  expected: 'the name of an operation, such as Checkout',
  isValid: (value) => /^[_A-Za-z][_0-9A-Za-z]*$/.test(value),
});

const claims = z
  .strictObject({
    anonymous: choice(priorities)
      .describe('The highest priority that requests without an identity may claim.')
      .prefault('critical'),
    identified: choice(priorities)
      .describe('The highest priority that requests with an identity (`security.identity`) may claim.')
      .prefault('critical'),
  })
  .superRefine(({ anonymous, identified }, context) => {
    if (priorities.indexOf(anonymous) >= priorities.indexOf(identified)) return;
    context.issues.push({
      code: 'custom',
      path: ['anonymous'],
      input: anonymous,
      params: { problem: `is ${anonymous}, more than the ${identified} that identified requests may claim` },
      message: 'at most `identified`, such as { anonymous: normal, identified: critical }',
    });
  });

export const overloadSection = z
  .strictObject({
    eventLoopDelay: duration()
      .refine((ms) => ms === 0 || ms >= 20, {
        error: 'a duration of at least 20ms, such as 200ms, or 0s for no limit',
      })
      .describe(
        'Mean delay of the event loop beyond which requests are shed. Each delay counts for as long as it lasts. The lowest priority is shed first: `background`, after another sample `normal`, and `critical` last. At least 20ms; `0s`: the delay sheds nothing.',
      )
      .prefault('200ms'),
    memory: ratio({ isPositive: true })
      .describe(
        "Share of the old generation of V8's heap (`--max-old-space-size`) in use beyond which requests are shed in the same way. `1`: memory sheds nothing.",
      )
      .prefault(0.9),
    queueTime: duration({ min: 1 })
      .describe(
        'How long calls for first responses may wait for a subgraph. Beyond it, they fail with OVERLOADED, and the newest call goes first. Does not apply while the event loop of the gateway itself is saturated.',
      )
      .prefault('500ms'),
    executionQueueTime: duration({ min: 1 })
      .describe(
        'How long requests may wait for their execution while the event loop is saturated. Beyond it, they fail with OVERLOADED, and the newest request goes first.',
      )
      .prefault('5s'),
    priorities: z
      .strictObject({
        operations: z
          .record(operationName, choice(priorities))
          .meta({ title: 'priority by operation name' })
          .describe(
            'Priorities of operations by their names. They override what the client claims. Clients choose these names: where that matters, raise a priority only for operations that clients cannot change.',
          )
          .prefault({}),
        claims: claims.prefault({}),
      })
      .describe(
        'How urgent a request is. An operation without an entry in `operations` has the priority in the header `tributary-priority`, within `claims`, and `normal` without that header.',
      )
      .prefault({}),
  })
  .describe('When the gateway sheds load, and which requests first.');
