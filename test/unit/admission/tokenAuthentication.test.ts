import { expect, test } from '@jest/globals';
import { TokenAuthentication } from '../../../gateway/admission/authentication/tokenAuthentication.ts';
import { createIdentityReader } from '../../../gateway/admission/identity.ts';
import { parseConfig } from '../../../gateway/config/parseConfig.ts';
import { createLogger } from '../../../gateway/telemetry/logger.ts';
import { createMetrics } from '../../../gateway/telemetry/metrics.ts';
import { FakeTimers } from '../../harness/fakeTimers.ts';
import { startTokenIssuer } from '../../harness/tokenIssuer.ts';

/** The longest delay of a timer of Node; a longer one fires at once. */
const longestDelayMs = 2 ** 31 - 1;

/** Timers with Node's limit. */
class LimitedTimers extends FakeTimers {
  override after(ms: number, run: () => void): () => void {
    return super.after(ms > longestDelayMs ? 0 : ms, run);
  }
}

function createAuthentication(
  jwks: string,
  timers = new LimitedTimers(),
  now = () => timers.now(),
): TokenAuthentication {
  const { security } = parseConfig({
    supergraph: { file: 'supergraph.graphql' },
    security: { jwt: { issuers: [{ jwks }] } },
  });
  return new TokenAuthentication({
    jwt: security.jwt as NonNullable<typeof security.jwt>,
    readIdentity: createIdentityReader(),
    timers,
    now,
    log: createLogger('silent'),
    metrics: createMetrics(),
  });
}

const client = { identity: 'u1', tokenOwner: 'identity u1', clientKey: 'identity u1' };

test('a token that expires after months is watched until then', () => {
  const timers = new LimitedTimers();
  const authentication = createAuthentication('http://127.0.0.1:1/jwks', timers);
  const expired: string[] = [];
  const expiresAt = 3 * longestDelayMs;
  authentication.watchExpiry({ ...client, expiresAt }, ({ code }) => expired.push(code));
  const stop = authentication.watchExpiry({ ...client, expiresAt }, () => expired.push('stopped'));
  timers.advance(longestDelayMs);
  stop();
  timers.advance(2 * longestDelayMs - 1);
  expect(expired).toEqual([]);
  timers.advance(1);
  expect([expired, timers.pendingCount]).toEqual([['UNAUTHENTICATED'], 0]);
});

test('a token ends within a minute when the clock is set forward past its expiry, as after a suspended machine', () => {
  const timers = new LimitedTimers();
  let suspendedMs = 0;
  const authentication = createAuthentication(
    'http://127.0.0.1:1/jwks',
    timers,
    () => timers.now() + suspendedMs,
  );
  const expired: string[] = [];
  authentication.watchExpiry({ ...client, expiresAt: 3_600_000 }, ({ code }) => expired.push(code));
  timers.advance(90_000);
  suspendedMs = 3_600_000;
  timers.advance(29_999);
  expect(expired).toEqual([]);
  timers.advance(1);
  expect([expired, timers.pendingCount]).toEqual([['UNAUTHENTICATED'], 0]);
});

test('a token without an expiry needs no timer', () => {
  const timers = new LimitedTimers();
  createAuthentication('http://127.0.0.1:1/jwks', timers).watchExpiry(client, () => undefined);
  expect(timers.pendingCount).toBe(0);
});

test('a client whose token was verified before is known without a promise', async () => {
  await using issuer = await startTokenIssuer();
  const authentication = createAuthentication(issuer.jwks);
  const headers = new Map([['authorization', `Bearer ${await issuer.sign({ sub: 'u1' })}`]]);
  const first = authentication.authenticate(headers, undefined);
  expect(first).toBeInstanceOf(Promise);
  expect(authentication.authenticate(headers, undefined)).toBeInstanceOf(Promise);
  const known = await first;
  expect(authentication.authenticate(headers, undefined)).toEqual(known);
  expect(authentication.authenticate(new Map(), '192.0.2.1')).toMatchObject({ identity: undefined });
});

test('the gateway reports issuers whose keys it does not have', async () => {
  await using issuer = await startTokenIssuer();
  const authentication = createAuthentication(issuer.jwks);
  expect(authentication.readinessNotes).toEqual([
    {
      code: 'AUTHENTICATION_UNAVAILABLE',
      message: `The keys of ${issuer.jwks} could not be fetched yet: its tokens are refused with 503 (security.jwt).`,
    },
  ]);
  const headers = new Map([['authorization', `Bearer ${await issuer.sign({})}`]]);
  await authentication.authenticate(headers, undefined);
  expect(authentication.readinessNotes).toEqual([]);
  await authentication.close();
});
