/** A supergraph that cannot be used. The message is for the operator: the loader's or the composer's own
 *  words, with places in the SDL where it has them. */
export class SupergraphRefusedError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'SupergraphRefusedError';
  }
}
