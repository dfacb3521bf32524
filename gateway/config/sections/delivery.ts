import { z } from 'zod';
import { duration, size } from '../scalars.ts';

export const deliverySection = z
  .strictObject({
    bufferSize: size()
      .describe(
        'Maximum number of buffered bytes for one slow client. Beyond it, no further payload is created for the client until it has read.',
      )
      .prefault('1MB'),
    readTimeout: duration({ min: 1 })
      .describe(
        'Maximum time that bytes are buffered for a client that reads nothing. Then its connection is closed and the buffer is released.',
      )
      .prefault('30s'),
    heartbeat: duration({ min: 1 })
      .describe(
        'Maximum idle time of a connection with a stream. Then the gateway sends a comment (server-sent events) or an empty part (multipart subscriptions). A WebSocket whose client was idle for this time is pinged, and closed if the client sends nothing within the same time after the ping.',
      )
      .prefault('12s'),
  })
  .describe('How responses are delivered to clients.');
