import { hash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Caller } from '../deferredEnrichments.ts';

const tokenBytes = 24;
const tokenPattern = /^[\w-]{32}$/;

/** Creates a token: 192 random bits in Base64url. */
export function createToken(): string {
  return randomBytes(tokenBytes).toString('base64url');
}

export function isWellFormedToken(text: string): boolean {
  return tokenPattern.test(text);
}

/** The form in which tokens and their owners are stored: it cannot be used in their place. */
export function hashOf(secret: string): string {
  return hash('sha256', secret, 'base64url');
}

const noOwner = 'none';

/** What is stored about the owner of a token. */
export function ownerHashOf({ tokenOwner }: Caller): string {
  return tokenOwner === undefined ? noOwner : hashOf(tokenOwner);
}

/** Whether the token belongs to the caller. A token without an owner belongs to everyone who has it. */
export function mayUseToken(ownerHash: string, caller: Caller): boolean {
  return ownerHash === noOwner || isSameHash(ownerHash, ownerHashOf(caller));
}

/** Compares in constant time, so that timing does not reveal where the hashes differ. */
function isSameHash(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}
