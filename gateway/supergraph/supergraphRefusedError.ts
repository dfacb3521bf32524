/** A supergraph that cannot be used. The message is for the operator, and contains the messages of the loader or composer
 *  with their locations in the SDL. */
export class SupergraphRefusedError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'SupergraphRefusedError';
  }
}
