import { isUtf8 } from 'node:buffer';
import { maskSecrets } from '../../config/addressSecrets.ts';
import { messageOf } from '../../errors.ts';
import { nameTlsSettings } from '../../tls/explainTlsError.ts';
import {
  type FetchLimits,
  type HttpRequest,
  type HttpResponse,
  schemaFetchLimits,
  sendHttpRequest,
  UnavailableError,
} from './httpRequest.ts';

export interface SupergraphAddress {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
}

export interface FetchedSupergraph {
  readonly sdl: string;
  /** Request headers with which the server says whether this SDL has changed. */
  readonly validators: Readonly<Record<string, string>>;
}

interface FetchSupergraphSdlOptions {
  readonly validators?: FetchedSupergraph['validators'];
  readonly limits?: FetchLimits;
  readonly proxyEnv?: HttpRequest['proxyEnv'];
}

const maxRedirects = 5;

/** Fetches the SDL of a supergraph. Returns `undefined` when it has not changed since `validators` were received. The
 *  headers of the address are sent to its origin only, also after redirects. No error contains a secret.
 *  @throws {UnavailableError} when the server does not respond, or with a status of 429 or above 499.
 *  @throws {Error} that describes what is wrong with the response. */
export async function fetchSupergraphSdl(
  { url, headers }: SupergraphAddress,
  signal: AbortSignal,
  { validators = {}, limits = schemaFetchLimits, proxyEnv }: FetchSupergraphSdlOptions = {},
): Promise<FetchedSupergraph | undefined> {
  const { origin } = new URL(url);
  let target = new URL(url);
  try {
    for (let redirects = 0; ; redirects++) {
      const request = {
        method: 'GET',
        headers: {
          accept: 'text/plain, application/graphql, */*;q=0.5',
          ...(target.origin === origin ? headers : {}),
          ...validators,
        },
        proxyEnv,
      } as const;
      const response = await sendHttpRequest(target, request, signal, limits);
      const next = redirectOf(response, target);
      if (next === undefined) return readResponse(response, validators);
      if (redirects === maxRedirects) throw new Error(`there are more than ${maxRedirects} redirects`);
      target = next;
    }
  } catch (error) {
    signal.throwIfAborted();
    const redirected = target.href === new URL(url).href ? '' : `redirected to ${maskSecrets(target.href)}: `;
    const reason = nameTlsSettings(messageOf(error), { ca: 'NODE_EXTRA_CA_CERTS' });
    const message = `the supergraph could not be fetched from ${maskSecrets(url)}: ${redirected}${reason}`;
    throw error instanceof UnavailableError
      ? new UnavailableError(message, { cause: error })
      : new Error(message, { cause: error });
  }
}

function redirectOf({ status, headers: { location } }: HttpResponse, from: URL): URL | undefined {
  if (![301, 302, 303, 307, 308].includes(status)) return undefined;
  if (location === undefined || !URL.canParse(location, from.href)) {
    throw new Error(`the response is a redirect (status ${status}) without a valid location`);
  }
  const next = new URL(location, from);
  if (next.protocol !== 'https:' && next.protocol !== from.protocol) {
    throw new Error(
      `the response is a redirect (status ${status}) from ${from.protocol}// to ${next.protocol}//`,
    );
  }
  return next;
}

function readResponse(
  { status, headers, body }: HttpResponse,
  validators: FetchedSupergraph['validators'],
): FetchedSupergraph | undefined {
  if (status === 304 && Object.keys(validators).length > 0) return undefined;
  if (status !== 200) throw statusError(status);
  if (!isUtf8(body)) throw new Error('the response is not valid UTF-8');
  const sdl = body.toString('utf8').replace(/^\uFEFF/, '');
  const start = sdl.trimStart()[0];
  if (start === undefined) throw new Error('the response is empty');
  if (start === '<') throw new Error('the response is an HTML or XML page, not the SDL of a supergraph');
  if (start === '{' || start === '[') throw new Error('the response is JSON, not the SDL of a supergraph');
  return { sdl, validators: validatorsOf(headers) };
}

function statusError(status: number): Error {
  if (status === 401 || status === 403) {
    return new Error(`the server refuses access (status ${status}); check supergraph.headers`);
  }
  if (status === 404 || status === 410) {
    return new Error(`the server has nothing at this address (status ${status}); check supergraph.url`);
  }
  const message = `the server responds with status ${status}`;
  return status === 429 || status > 499 ? new UnavailableError(message) : new Error(message);
}

function validatorsOf(headers: HttpResponse['headers']): FetchedSupergraph['validators'] {
  const { etag, 'last-modified': lastModified } = headers;
  return {
    ...(etag === undefined ? {} : { 'if-none-match': etag }),
    ...(lastModified === undefined ? {} : { 'if-modified-since': lastModified }),
  };
}
