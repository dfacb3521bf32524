import { z } from 'zod';
import { hasCredentials } from '../addressSecrets.ts';
import { anyText, duration, flag, httpUrl, isHeaderValue, scalar, text } from '../scalars.ts';
import { anyHeaderName, headerName } from './headerName.ts';

/** The signature algorithms with a public key. Algorithms with a shared secret are not among them: a public key that is
 *  used as a secret would let everyone sign. */
export const signatureAlgorithms = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
] as const;

type SignatureAlgorithm = (typeof signatureAlgorithms)[number];

const algorithm = scalar<SignatureAlgorithm, SignatureAlgorithm>({
  title: 'algorithm',
  expected: `one of ${signatureAlgorithms.join(', ')}, which verify with a public key`,
  read: (input) => signatureAlgorithms.find((name) => name === input),
  editorSchemas: [{ enum: signatureAlgorithms }],
});

const cookieName = text({
  title: 'cookie name',
  expected: 'the name of a cookie, such as access_token, or empty for no cookie',
  isValid: (value) => /^[!#$%&'*+.^_`|~0-9A-Za-z-]*$/.test(value),
});

const issuer = z.strictObject({
  jwks: httpUrl().describe(
    'Address of the public keys, a JSON Web Key Set (`jwks_uri` in the metadata of the issuer). Use https outside of a trusted network: who can change the response can sign tokens.',
  ),
  issuer: anyText('text', 'the exact value of `iss`, such as https://login.example/')
    .describe(
      'The exact value of the claim `iss`. Required if there are several issuers. Empty: not checked, the key alone decides.',
    )
    .prefault(''),
  audiences: z
    .array(text({ title: 'text', expected: 'an audience', isValid: (value) => value.trim() !== '' }))
    .describe(
      'The claim `aud` must contain one of these values. Empty: not checked, so that a token that the issuer made for another application is accepted.',
    )
    .prefault([]),
  requiredClaims: z
    .array(
      text({
        title: 'claim',
        expected: 'the name of a claim, such as exp',
        isValid: (value) => value !== '',
      }),
    )
    .describe(
      'Claims that a token must have. A list of your own replaces the default: name `exp`, too. `[]` also accepts tokens that never expire, until the issuer publishes other keys.',
    )
    .prefault(['exp']),
  algorithms: z
    .array(algorithm)
    .min(1, { error: 'at least one algorithm, such as [RS256]' })
    .describe(
      'Algorithms with which tokens may be signed. Never `none`, and none with a shared secret (`HS256`).',
    )
    .prefault([...signatureAlgorithms]),
  headers: z
    .record(anyHeaderName, anyText('secret', 'the value of a header'))
    .meta({ title: 'value by header name' })
    .describe('Headers of the requests to `jwks`.')
    .prefault({}),
});

export const jwtSection = z
  .strictObject({
    issuers: z
      .array(issuer)
      .min(1, { error: 'at least one issuer, such as { jwks: https://login.example/.well-known/jwks.json }' })
      .describe('Whose tokens are accepted.'),
    required: flag()
      .describe(
        'Refuses requests without a token. An invalid token is refused (401 `UNAUTHENTICATED`) in either case.',
      )
      .prefault(false),
    header: headerName
      .describe(
        'Header with the token: in `authorization` as `Bearer …`, in another header also without `Bearer`. WebSocket clients send it as a parameter of `connection_init` with this name, which needs no entry in `connectionParams`.',
      )
      .prefault('authorization'),
    cookie: cookieName
      .describe('Cookie with the token, for requests without a token in the header. Empty: none.')
      .prefault(''),
    clockTolerance: duration()
      .describe('How far the clocks of gateway and issuer may differ, for `exp` and `nbf`.')
      .prefault('5s'),
    refreshInterval: duration({ min: 1000 })
      .describe(
        'Interval of fetching the keys again in the background. If that fails, the last keys stay in use.',
      )
      .prefault('10m'),
  })
  .superRefine(({ issuers }, context) => {
    const report = (path: readonly PropertyKey[], input: unknown, problem: string, message: string) =>
      context.issues.push({ code: 'custom', path: [...path], input, message, params: { problem } });
    const seen = new Set<string>();
    issuers.forEach(({ jwks, issuer: name, headers }, index) => {
      if (hasCredentials(jwks)) {
        const expected = 'an address without them; use headers, such as { authorization: Basic … }';
        report(['issuers', index, 'jwks'], jwks, 'has a user name or a password', expected);
      }
      for (const [header, value] of Object.entries(headers)) {
        // Not quoted: it may be a secret.
        if (value !== '' && isHeaderValue(value)) continue;
        const problem = 'is empty, or has characters that no header may have';
        report(['issuers', index, 'headers', header], value, problem, 'one line of text');
      }
      if (issuers.length === 1) return;
      const path = ['issuers', index, 'issuer'];
      const expected = 'the exact `iss` of its tokens, such as https://login.example/';
      if (name === '') {
        report(path, name, 'is empty, but there are several issuers', expected);
      } else if (seen.has(name)) {
        report(path, name, `is ${JSON.stringify(name)}, which is already used`, 'unique issuers');
      }
      seen.add(name);
    });
  })
  .describe(
    'Verifies the tokens of clients (JWT), and so who sent a request. Without this section, no token is verified. See [authentication.md](authentication.md).',
  );
