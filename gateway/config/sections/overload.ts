import { z } from 'zod';
import { duration } from '../scalars.ts';

export const overloadSection = z
  .strictObject({
    queueTime: duration({ min: 1 })
      .describe(
        'How long calls for first responses may wait for a subgraph whose queue has not been empty for this long. Beyond it, they fail with OVERLOADED, and the newest call goes first. Shorter bursts are queued until their deadlines.',
      )
      .prefault('500ms'),
  })
  .describe('When the gateway sheds load.');
