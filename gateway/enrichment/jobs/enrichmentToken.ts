import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

const tokenBytes = 24;
const tokenPattern = /^[\w-]{32}$/;

/** A new token: 192 random bits in Base64url. */
export function createToken(): string {
  return randomBytes(tokenBytes).toString('base64url');
}

export function isWellFormedToken(text: string): boolean {
  return tokenPattern.test(text);
}

/** What is kept of a token, or of an identity: whoever reads it there cannot use it. */
export function hashOf(secret: string): string {
  return createHash('sha256').update(secret).digest('base64url');
}

/** Compares in a time that tells nothing about where they differ. */
export function isSameHash(one: string, other: string): boolean {
  const [left, right] = [Buffer.from(one), Buffer.from(other)];
  return left.length === right.length && timingSafeEqual(left, right);
}
