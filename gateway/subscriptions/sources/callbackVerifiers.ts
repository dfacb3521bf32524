import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

/** The secrets with which a subgraph proves that the gateway subscribed with an id. Each is an HMAC of the id with a random
 *  key of this process, so none has to be stored. */
export class CallbackVerifiers {
  readonly #key = randomBytes(32);

  verifierFor(id: string): string {
    return createHmac('sha256', this.#key).update(id).digest('hex');
  }

  /** Compares in constant time. */
  isValid(id: string, verifier: string): boolean {
    const [expected, actual] = [Buffer.from(this.verifierFor(id)), Buffer.from(verifier)];
    return expected.length === actual.length && timingSafeEqual(expected, actual);
  }
}
