import { GatewayError } from '../errors.ts';

/** Why work ends when the gateway shuts down. A client finds another process when it comes back. */
export class GatewayShutdownError extends GatewayError {
  constructor() {
    super('REQUEST_ABORTED', 'The gateway is shutting down.');
    this.name = 'GoingAway';
  }
}
