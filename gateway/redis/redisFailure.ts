/** Why Redis did not do what it was asked for. */
export type RedisFailureKind =
  | 'unreachable'
  | 'authentication'
  | 'out of memory'
  | 'read only'
  | 'loading'
  | 'cluster'
  | 'refused';

/** A failure as a value: nothing that asks Redis has to catch anything. */
export class RedisFailure {
  readonly kind: RedisFailureKind;
  readonly cause: Error;

  constructor(cause: unknown) {
    this.cause = cause instanceof Error ? cause : new Error(String(cause));
    this.kind = kindOf(this.cause.message);
  }

  /** The same request would be refused the same way for ever: it is wrong by itself, whatever Redis has and does. */
  get isPermanent(): boolean {
    return this.kind === 'refused' && permanentErrors.test(this.cause.message);
  }
}

/** Within what a script reports, too. What depends on a key, on rights or on the server's version can change. */
const permanentErrors =
  /Invalid stream ID|not an integer or out of range|not a valid float|syntax error|wrong number of arguments/i;

/** What begins the messages of a server; the first that fits. */
const kindPatterns: readonly (readonly [RegExp, RedisFailureKind])[] = [
  [/\b(WRONGPASS|NOAUTH|NOPERM)\b|invalid password|without any password/, 'authentication'],
  [/\bOOM\b/, 'out of memory'],
  [/\bREADONLY\b/, 'read only'],
  [/\b(LOADING|BUSY|MASTERDOWN)\b/, 'loading'],
  [/\b(MOVED|ASK|CLUSTERDOWN|TRYAGAIN|CROSSSLOT)\b|Cluster redirections/, 'cluster'],
];

function kindOf(message: string): RedisFailureKind {
  const found = kindPatterns.find(([pattern]) => pattern.test(message));
  if (found !== undefined) return found[1];
  // A server's own errors begin with a word in capitals; everything else comes from the connection.
  return /^[A-Z]{3,} /.test(message) ? 'refused' : 'unreachable';
}
