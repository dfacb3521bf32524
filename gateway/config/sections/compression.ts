import { z } from 'zod';
import { flag, size } from '../scalars.ts';

export const compression = z
  .strictObject({
    enabled: flag()
      .describe('Compresses responses with zstd, br or gzip for clients that accept it (`accept-encoding`).')
      .prefault(true),
    minSize: size().describe('Smaller responses are sent as they are. Not for streams.').prefault('1KB'),
    subscriptions: flag()
      .describe(
        'Compresses subscriptions over server-sent events and multipart, too. Each open one then takes about 100 kB more.',
      )
      .prefault(false),
    crossOrigin: flag()
      .describe(
        'Compresses responses to requests with cookies or `authorization` that pages of origins in `security.cors.origins` send, too. Turn it on only if no text that such a page chooses is in a response beside a secret: the size of a compressed response tells whether they are equal (BREACH). Responses to pages of origins that are not listed by name are never compressed for requests with credentials.',
      )
      .prefault(false),
  })
  .describe('Compression of responses, on both listeners.')
  .prefault({});
