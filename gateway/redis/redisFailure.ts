/** The cause of a failed command or connection. */
export type RedisFailureKind =
  | 'unreachable'
  | 'authentication'
  | 'out of memory'
  | 'read only'
  | 'loading'
  | 'cluster'
  | 'refused';

/** A failure as a value, so that callers of Redis need no try/catch. */
export class RedisFailure {
  readonly kind: RedisFailureKind;
  readonly cause: Error;

  constructor(cause: unknown) {
    this.cause = cause instanceof Error ? cause : new Error(String(cause));
    this.kind = kindOf(this.cause.message);
  }

  /** Whether every retry would fail in the same way, because the command itself is invalid. */
  get isPermanent(): boolean {
    return this.kind === 'refused' && permanentErrors.test(this.cause.message);
  }
}

/** Also matches errors inside of messages of scripts. Errors that depend on a key, on permissions or on the version of the
 *  server are not permanent. */
const permanentErrors =
  /Invalid stream ID|not an integer or out of range|not a valid float|syntax error|wrong number of arguments/i;

/** Patterns of server messages. The first match counts. */
const kindPatterns: readonly (readonly [RegExp, RedisFailureKind])[] = [
  [/\b(WRONGPASS|NOAUTH|NOPERM)\b|invalid password|without any password/, 'authentication'],
  [/\bOOM\b/, 'out of memory'],
  [/\bREADONLY\b/, 'read only'],
  [/\b(LOADING|BUSY|MASTERDOWN)\b/, 'loading'],
  [/\b(MOVED|ASK|CLUSTERDOWN|TRYAGAIN|CROSSSLOT)\b|Cluster redirections/, 'cluster'],
];

function kindOf(message: string): RedisFailureKind {
  const match = kindPatterns.find(([pattern]) => pattern.test(message));
  if (match !== undefined) return match[1];
  // Errors of the server begin with an upper-case word. All others are errors of the connection.
  return /^[A-Z]{3,} /.test(message) ? 'refused' : 'unreachable';
}
