import { z } from 'zod';
import { oneOf } from '../oneOf.ts';
import { nonBlankText } from '../scalars.ts';
import { headerName } from './headerName.ts';

export const identitySection = z
  .strictObject({
    header: headerName
      .describe(
        'Client header whose value is the identity. Clients can forge this header: have a trusted proxy set it.',
      )
      .optional(),
    claim: nonBlankText('the name of a claim, such as sub')
      .describe(
        'Instead of a header: claim of the verified token (`jwt`) whose text or number is the identity, together with the issuer. Default: `sub`.',
      )
      .optional(),
  })
  .superRefine(oneOf('header', 'claim', false))
  .describe(
    'Who sent a request: whose `PRIVATE` values of the cache it may read, whose enrichment tokens it may use, what counts as one client for limits, which priorities it may claim, and which progressive `@override`s it gets. Without a header and without a verified token, nothing private is cached, tokens belong to the `authorization` header, and clients are counted by address.',
  );
