import {
  type CryptoKey,
  createLocalJWKSet,
  createRemoteJWKSet,
  customFetch,
  errors,
  type FetchImplementation,
  type JWK,
  type JWTVerifyGetKey,
} from 'jose';
import { maskSecrets } from '../../config/addressSecrets.ts';
import type { Logger } from '../../telemetry/logger.ts';
import { backoffDelayMs } from '../../time/backoffDelayMs.ts';
import type { CancelTimer, Timers } from '../../time/timers.ts';

interface RemoteKeySetOptions {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly refreshIntervalMs: number;
  readonly timers: Timers;
  readonly log: Pick<Logger, 'info' | 'warn'>;
}

/** Shortest time between the second and the third fetch because of an unknown key or a wrong signature. It doubles with each
 *  further one, until the keys change or the interval has passed: the first tokens of a new key are accepted at once, and forged
 *  ones cannot flood the issuer. */
const minCooldownMs = 1_000;

/** Longest time of these, and between two attempts while the endpoint fails. */
const maxCooldownMs = 30_000;

/** A request for keys that takes longer has failed. */
const requestTimeoutMs = 5_000;

/** Between attempts while the endpoint fails. */
const backoff = { minDelay: 1_000, maxDelay: maxCooldownMs };

/** Bytes of a response with keys, after decompression. A key has some kilobytes with its certificates. */
const maxResponseBytes = 1024 ** 2;

/** A key, and the version of the keys that it was found among. */
interface FoundKey {
  readonly key: CryptoKey;
  readonly version: number;
}

/** The public keys of one issuer. jose fetches and parses them, and joins fetches that are under way. This class decides
 *  when to fetch: jose alone would refuse tokens when the keys are old and the endpoint is down, and would call an
 *  endpoint that is down for every token. */
export class RemoteKeySet {
  /** The address without secrets, for logs. */
  readonly name: string;
  failureCount = 0;
  readonly #options: RemoteKeySetOptions;
  readonly #endpoint: ReturnType<typeof createRemoteJWKSet>;
  #keys: ReturnType<typeof createLocalJWKSet> | undefined;
  #version = 0;
  #text: string | undefined;
  #failuresInRow = 0;
  /** Fetches because of a token since the keys changed, or the last interval began. */
  #fetchesForTokens = 0;
  #attemptedAt = Number.NEGATIVE_INFINITY;
  #fetching: Promise<void> | undefined;
  #cancelTimer: CancelTimer | undefined;
  readonly #stopping = new AbortController();

  constructor(options: RemoteKeySetOptions) {
    this.#options = options;
    this.name = maskSecrets(options.url);
    this.#endpoint = createRemoteJWKSet(new URL(options.url), {
      headers: { 'user-agent': 'tributary', ...options.headers },
      timeoutDuration: requestTimeoutMs,
      // Never fetches by itself.
      cacheMaxAge: Number.POSITIVE_INFINITY,
      cooldownDuration: Number.POSITIVE_INFINITY,
      [customFetch]: (url, options) =>
        fetchWithinLimit(url, {
          ...options,
          signal: AbortSignal.any([options.signal, this.#stopping.signal]),
        }),
    });
  }

  /** Another number whenever the keys are not those of before. */
  get version(): number {
    return this.#version;
  }

  get hasKeys(): boolean {
    return this.#keys !== undefined;
  }

  /** Fetches the keys in the background, now and at each interval. */
  start(): void {
    void this.#fetch();
  }

  /** Also aborts a request that is under way. */
  stop(): void {
    this.#stopping.abort();
    this.#cancelTimer?.();
  }

  /** Finds the key of a token. Waits for a fetch if there are no keys yet, or the key is not among them.
   *  @throws {errors.JWKSNoMatchingKey} and other errors of jose.
   *  @throws {KeysUnavailableError} if keys were never fetched. */
  async keyOf(...[header, token]: Parameters<JWTVerifyGetKey>): Promise<FoundKey> {
    if (!this.hasKeys) await (this.#fetching ?? (this.#failuresInRow === 0 ? this.#fetch() : undefined));
    if (this.#keys === undefined) throw new KeysUnavailableError();
    const version = this.#version;
    try {
      return { key: await this.#keys(header, token), version };
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
      await this.#fetchIfDue();
      const newVersion = this.#version;
      if (newVersion === version) throw error;
      return { key: await this.#keys(header, token), version: newVersion };
    }
  }

  /** For a token whose signature does not fit: an issuer may replace a key without giving the new one another name. Fetches
   *  the keys if they are still those of `version` and the cooldown has passed, and returns whether they have changed. */
  async fetchNewerThan(version: number): Promise<boolean> {
    if (this.#version === version) await this.#fetchIfDue();
    return this.#version !== version;
  }

  #fetchIfDue(): Promise<void> | undefined {
    if (this.#fetching !== undefined) return this.#fetching;
    if (this.#options.timers.now() - this.#attemptedAt < this.#cooldownMs) return undefined;
    this.#fetchesForTokens += 1;
    return this.#fetch();
  }

  get #cooldownMs(): number {
    if (this.#failuresInRow > 0) return maxCooldownMs;
    const count = this.#fetchesForTokens;
    return count === 0 ? 0 : Math.min(maxCooldownMs, minCooldownMs * 2 ** (count - 1));
  }

  /** Never rejects. */
  #fetch(): Promise<void> {
    this.#cancelTimer?.();
    this.#attemptedAt = this.#options.timers.now();
    this.#fetching ??= this.#endpoint
      .reload()
      .then(() => this.#onFetched())
      .catch((error: unknown) => this.#onFailure(error))
      .finally(() => {
        this.#fetching = undefined;
        this.#scheduleNext();
      });
    return this.#fetching;
  }

  /** @throws {Error} for a set without keys to verify tokens with. */
  #onFetched(): void {
    const { keys = [] } = this.#endpoint.jwks() ?? {};
    // Perhaps the issuer starts anew, and every token would be refused.
    if (!keys.some(isUsable)) throw new Error('The response has no key to verify tokens with.');
    if (this.#failuresInRow > 0) {
      this.#options.log.info({ jwks: this.name }, 'The keys of an issuer of tokens can be fetched again');
    }
    this.#failuresInRow = 0;
    const text = JSON.stringify(keys);
    if (text === this.#text) return;
    this.#text = text;
    this.#fetchesForTokens = 0;
    this.#keys = createLocalJWKSet({ keys });
    this.#version += 1;
  }

  #onFailure(error: unknown): void {
    if (this.#stopping.signal.aborted) return;
    this.failureCount += 1;
    this.#failuresInRow += 1;
    // One line for each outage.
    if (this.#failuresInRow > 1) return;
    this.#options.log.warn(
      { jwks: this.name, problem: describeFailure(error), hasKeys: this.hasKeys },
      'The keys of an issuer of tokens cannot be fetched (security.jwt): the last keys stay in use; without any, its tokens are refused with 503',
    );
  }

  #scheduleNext(): void {
    if (this.#stopping.signal.aborted) return;
    const { timers, refreshIntervalMs } = this.#options;
    const delayMs =
      this.#failuresInRow === 0 ? refreshIntervalMs : backoffDelayMs(this.#failuresInRow, backoff);
    this.#cancelTimer = timers.after(delayMs, () => {
      this.#fetchesForTokens = 0;
      void this.#fetch();
    });
  }
}

/** The types of keys that jose verifies tokens with. */
const keyTypes: ReadonlySet<unknown> = new Set(['RSA', 'EC', 'OKP', 'AKP']);

function isUsable({ kty, use }: JWK): boolean {
  return keyTypes.has(kty) && (use === undefined || use === 'sig');
}

export class KeysUnavailableError extends Error {
  constructor() {
    super('The keys could never be fetched.');
    this.name = 'KeysUnavailableError';
  }
}

/** `fetch` for jose, which by itself reads the body of a response of any size.
 *  @throws {Error} if the body has more than `maxResponseBytes`. */
const fetchWithinLimit: FetchImplementation = async (url, options) => {
  const { status, body } = await fetch(url, options);
  if (status !== 200) {
    await body?.cancel();
    const advice =
      status >= 300 && status < 400 ? ' Redirects are not followed: configure their target.' : '';
    throw new Error(`The endpoint responded with status ${status} instead of 200.${advice}`);
  }
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  // Leaving the loop cancels the body.
  for await (const chunk of body ?? []) {
    size += chunk.length;
    if (size > maxResponseBytes) {
      throw new Error(`The response with the keys is larger than ${maxResponseBytes} bytes, the maximum.`);
    }
    chunks.push(chunk);
  }
  return new Response(new Blob(chunks), { status });
};

/** `fetch` says what failed in the cause of its error. */
function describeFailure(error: unknown): string {
  const { message, cause } = error instanceof Error ? error : new Error(String(error));
  return cause instanceof Error && cause.message !== '' ? `${message}: ${cause.message}` : message;
}
