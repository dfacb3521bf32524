import { createHmac } from 'node:crypto';
import type { SubgraphPolicy } from '../config/subgraphPolicyOf.ts';

export interface RequestSigning {
  readonly secret: string;
  /** In lower case. */
  readonly header: string;
}

/** The name and value of the header that signs a request: `sha256=` and the hexadecimal HMAC-SHA256 of the body's bytes. */
export function signatureHeaderOf(
  { secret, header }: RequestSigning,
  body: string,
): readonly [string, string] {
  return [header, `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`];
}

/** How the requests to a subgraph are signed; `undefined` when they are not. */
export function signingOf({
  signing: { enabled, secret, header },
}: Pick<SubgraphPolicy, 'signing'>): RequestSigning | undefined {
  return secret === undefined || !enabled ? undefined : { secret, header };
}
