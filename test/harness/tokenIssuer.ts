import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  CompactSign,
  type CryptoKey,
  exportJWK,
  generateKeyPair,
  type JWK,
  type JWTHeaderParameters,
  SignJWT,
} from 'jose';
import { closeServer } from './closeServer.ts';
import { Gate } from './gate.ts';

/** The year 2100, in seconds. */
const distantFuture = 4_102_444_800;

interface SigningKey {
  readonly kid: string;
  readonly privateKey: CryptoKey;
  readonly publicKey: CryptoKey;
  readonly jwk: JWK;
}

export interface TokenIssuer extends AsyncDisposable {
  /** The address of the keys. */
  readonly jwks: string;
  /** The headers of the requests for keys. */
  readonly requests: readonly IncomingHttpHeaders[];
  /** The public key that signs at present. */
  readonly key: Pick<SigningKey, 'kid' | 'jwk' | 'publicKey'>;
  /** Signs claims with the present key, and with `iss` and a distant `exp` unless the claims have them. */
  sign(claims: Readonly<Record<string, unknown>>, header?: Partial<JWTHeaderParameters>): Promise<string>;
  /** Signs a payload as it is. */
  signText(payload: string): Promise<string>;
  /** Signs with a new key from now on, and publishes it instead of the old one. */
  rotate(): Promise<void>;
  /** What the endpoint answers instead of the keys; `undefined` for the keys. */
  answerWith(answer: ((response: ServerResponse) => void) | undefined): void;
  /** Makes every request wait at the gate. */
  hold(): Gate;
}

/** Starts a server that publishes keys (JWKS), and signs tokens with them. */
export async function startTokenIssuer(
  iss = 'https://login.test/',
  algorithm = 'ES256',
): Promise<TokenIssuer> {
  const requests: IncomingHttpHeaders[] = [];
  let count = 0;
  let answer: ((response: ServerResponse) => void) | undefined;
  let gate: Gate | undefined;
  const createKey = async (): Promise<SigningKey> => {
    count += 1;
    const kid = `key-${count}`;
    const pair = await generateKeyPair(algorithm, { extractable: true });
    return { kid, ...pair, jwk: { ...(await exportJWK(pair.publicKey)), kid, alg: algorithm, use: 'sig' } };
  };
  let key = await createKey();
  const server = createServer(async (request, response) => {
    requests.push(request.headers);
    await gate?.pass();
    if (answer !== undefined) return answer(response);
    response.setHeader('content-type', 'application/jwk-set+json');
    response.end(JSON.stringify({ keys: [key.jwk] }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    jwks: `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks`,
    requests,
    get key() {
      return key;
    },
    sign: (claims, header) =>
      new SignJWT({ iss, exp: distantFuture, ...claims })
        .setProtectedHeader({ alg: algorithm, kid: key.kid, ...header })
        .sign(key.privateKey),
    signText: (payload) =>
      new CompactSign(new TextEncoder().encode(payload))
        .setProtectedHeader({ alg: algorithm, kid: key.kid })
        .sign(key.privateKey),
    rotate: async () => {
      key = await createKey();
    },
    answerWith: (next) => {
      answer = next;
    },
    hold: () => {
      gate = new Gate();
      return gate;
    },
    [Symbol.asyncDispose]: () => closeServer(server),
  };
}
