import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

/** The secrets by which a subgraph shows that it was asked to send: made of the id and a key that this process alone
 *  knows, so that none of them is kept. */
export class CallbackVerifiers {
  readonly #key = randomBytes(32);

  verifierFor(id: string): string {
    return createHmac('sha256', this.#key).update(id).digest('hex');
  }

  /** Takes as long for a verifier that is nearly right as for any other. */
  isValid(id: string, verifier: string): boolean {
    const [right, given] = [Buffer.from(this.verifierFor(id)), Buffer.from(verifier)];
    return right.length === given.length && timingSafeEqual(right, given);
  }
}
