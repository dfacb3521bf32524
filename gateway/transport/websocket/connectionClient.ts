import { CloseCode } from 'graphql-ws';
import type { Authentication } from '../../admission/authentication/authentication.ts';
import { HttpError } from '../../admission/httpError.ts';
import { type ClientIdentity, hasScopesOf, isSameClient } from '../../admission/identity.ts';
import { GatewayError } from '../../errors.ts';
import type { TransportLog } from '../../telemetry/logger.ts';
import type { CancelTimer } from '../../time/timers.ts';
import { operationHeaders, parameterHeaders } from './connectionHeaders.ts';

type Payload = Readonly<Record<string, unknown>>;

interface ConnectionClientOptions {
  readonly authentication: Authentication;
  /** Names in lower case. */
  readonly handshakeHeaders: ReadonlyMap<string, string>;
  readonly clientAddress: string | undefined;
  readonly log: TransportLog;
  readonly isOpen: () => boolean;
  /** Counts the socket for this client (`ClientIdentity.clientKey`) instead of its address. Returns the error if the client
   *  has too many. */
  readonly admitClient: (clientKey: string) => HttpError | undefined;
  readonly onAuthenticated: () => void;
  /** Called when the token expires, or a new one grants less. */
  readonly endStreams: (error: GatewayError) => void;
  readonly sendPong: (payload: Payload | undefined) => void;
  readonly close: (code: number, reason: string) => void;
}

/** Who the client of a WebSocket is: authenticates it by the parameters of `connection_init`, renews its token by pings, and
 *  watches when the token expires. */
export class ConnectionClient {
  readonly #options: ConnectionClientOptions;
  #parameters: ReadonlyMap<string, string> = new Map();
  #identity: ClientIdentity | undefined;
  #stopWatchingExpiry: CancelTimer | undefined;
  #expired: GatewayError | undefined;
  #isRenewing = false;

  constructor(options: ConnectionClientOptions) {
    this.#options = options;
  }

  /** Set while the token has expired. */
  get expired(): GatewayError | undefined {
    return this.#expired;
  }

  /** The headers of an operation: those of the handshake and of the parameters. */
  headersOf(requestId: string): ReadonlyMap<string, string> {
    return this.#headersWith(this.#parameters, requestId);
  }

  /** `parameters`: of `connection_init`, as headers. */
  authenticate(parameters: ReadonlyMap<string, string>): void {
    this.#parameters = parameters;
    this.#verify(
      parameters,
      (identity) => {
        const refusal = this.#options.admitClient(identity.clientKey);
        if (refusal !== undefined) {
          this.#closeRefused(refusal);
          return;
        }
        this.#adopt(identity);
        this.#options.onAuthenticated();
      },
      (error) => this.#closeRefused(error),
    );
  }

  /** A ping whose payload has the token's header renews the token of the connection. */
  onPing(payload: Payload | undefined): void {
    const { authentication, sendPong, close } = this.#options;
    const { tokenHeader } = authentication;
    const headers =
      tokenHeader === undefined || payload === undefined
        ? undefined
        : parameterHeaders(payload, new Set([tokenHeader]));
    if (typeof headers === 'string') {
      close(CloseCode.BadRequest, headers);
      return;
    }
    const renewed = tokenHeader === undefined ? undefined : headers?.get(tokenHeader);
    if (tokenHeader === undefined || renewed === undefined || this.#identity === undefined) {
      sendPong(payload);
      return;
    }
    if (this.#isRenewing) {
      close(CloseCode.BadRequest, 'Invalid message: the token of the last ping is still being verified');
      return;
    }
    this.#isRenewing = true;
    this.#renew(this.#identity, new Map(this.#parameters).set(tokenHeader, renewed));
  }

  release(): void {
    this.#stopWatchingExpiry?.();
  }

  #renew(present: ClientIdentity, parameters: ReadonlyMap<string, string>): void {
    const { sendPong, close } = this.#options;
    this.#verify(
      parameters,
      (identity) => {
        this.#isRenewing = false;
        if (!isSameClient(present, identity)) {
          close(CloseCode.Forbidden, 'Forbidden: the new token is of another client');
          return;
        }
        this.#parameters = parameters;
        this.#adopt(identity);
        // They would keep the rights of the earlier token until the new one expires.
        if (!hasScopesOf(identity, present)) this.#options.endStreams(lostScopeError());
        sendPong({ renewed: true });
      },
      (error) => {
        this.#isRenewing = false;
        const formatted = error.toFormatted();
        // The present token is still good. The issuer may have published the new key since the keys were fetched.
        const isUnverified = error.status === 503 || formatted.extensions?.reason === 'unknown_key';
        if (isUnverified) sendPong({ errors: [formatted] });
        else this.#closeRefused(error);
      },
    );
  }

  /** Calls one of the functions: at once, unless a token has to be verified. */
  #verify(
    parameters: ReadonlyMap<string, string>,
    onVerified: (identity: ClientIdentity) => void,
    onRefused: (error: HttpError) => void,
  ): void {
    const { authentication, clientAddress, log, isOpen, close } = this.#options;
    const refuse = (error: unknown): void => {
      if (error instanceof HttpError) {
        onRefused(error);
        return;
      }
      log.error({ err: error }, 'The authentication of a WebSocket failed with an unexpected error');
      close(CloseCode.InternalServerError, 'Internal server error');
    };
    try {
      const identity = authentication.authenticate(this.#headersWith(parameters, ''), clientAddress);
      if (identity instanceof Promise) {
        void identity.then(
          (verified) => isOpen() && onVerified(verified),
          (error: unknown) => isOpen() && refuse(error),
        );
      } else onVerified(identity);
    } catch (error) {
      refuse(error);
    }
  }

  /** Operations run with this token from now on, and end when it expires. */
  #adopt(identity: ClientIdentity): void {
    this.#identity = identity;
    this.#expired = undefined;
    this.#stopWatchingExpiry?.();
    this.#stopWatchingExpiry = this.#options.authentication.watchExpiry(identity, (error) => {
      this.#expired = error;
      this.#options.endStreams(error);
    });
  }

  /** Clients connect again after these codes, with other parameters if they have any. */
  #closeRefused({ status, message }: HttpError): void {
    if (status === 503) this.#options.close(1013, message);
    else this.#options.close(CloseCode.Forbidden, `Forbidden: ${message}`);
  }

  #headersWith(parameters: ReadonlyMap<string, string>, requestId: string): ReadonlyMap<string, string> {
    return operationHeaders(this.#options.handshakeHeaders, parameters, requestId);
  }
}

function lostScopeError(): GatewayError {
  return new GatewayError(
    'FORBIDDEN',
    'The new token lacks a scope of the one that the operation began with. Send the operation again.',
  );
}
