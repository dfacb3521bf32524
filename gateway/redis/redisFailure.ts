import { joinErrorMessages } from '../errors.ts';
import { nameTlsSettings } from '../tls/explainTlsError.ts';

/** The cause of a failed command or connection. */
export type RedisFailureKind =
  | 'unreachable'
  | 'authentication'
  | 'out of memory'
  | 'not persisting'
  | 'read only'
  | 'loading'
  | 'cluster'
  | 'refused';

/** A failure as a value, so that callers of Redis need no try/catch. */
export class RedisFailure {
  readonly kind: RedisFailureKind;
  readonly cause: Error;

  /** `address`: of the connection that failed (`describeAddress`); omitted for commands. */
  constructor(cause: unknown, address?: string) {
    this.cause = cause instanceof Error ? cause : new Error(String(cause));
    this.kind = kindOf(describeConnectionError(this.cause, undefined));
    const message = describeConnectionError(this.cause, address);
    if (message !== this.cause.message) this.cause = new Error(message, { cause });
  }

  /** Whether every retry would fail in the same way, because the command itself is invalid. */
  get isPermanent(): boolean {
    return this.kind === 'refused' && permanentErrors.test(this.cause.message);
  }
}

interface ConnectionError extends Error {
  readonly code?: string;
  /** ioredis: of a command that the server refused. */
  readonly command?: { readonly name: string; readonly args: readonly unknown[] };
  /** ioredis: of a Cluster that could not be reached. */
  readonly lastNodeError?: Error;
}

/** The message of an error, after the address if the message does not contain it. Errors of connections often name no
 *  address, and some have no message of their own. With an address, the error is one of a connection, not of a command. */
export function describeConnectionError(error: Error, address: string | undefined): string {
  const { code = 'the connection failed', lastNodeError, command }: ConnectionError = error;
  const message = joinErrorMessages(error).replace(
    lostConnection,
    'The connection was lost before Redis answered.',
  );
  const ownText = nameKey(message || code, command);
  const text =
    lastNodeError === undefined ? ownText : `${ownText} Last error: ${joinErrorMessages(lastNodeError)}`;
  if (address === undefined) return text;
  const ioredisText = explainIoredisMessage(text);
  const explained = address.endsWith(' with TLS') ? ioredisText + tlsHint(ioredisText) : ioredisText;
  return explained.includes(address) ? explained : `${address}: ${explained}`;
}

/** What ioredis says of a command that was under way, or was sent while its connection was being closed, with options that
 *  are not those of the gateway. */
const lostConnection =
  /^(Reached the max retries per request limit|Stream isn't writeable and enableOffline).*/;

/** Whether Redis or its connection is the cause of an error of ioredis or BullMQ, and not a fault of the program. */
export function isRedisError(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return 'syscall' in error || redisErrorNames.has(error.name) || connectionErrors.test(error.message);
}

const redisErrorNames = new Set(['ReplyError', 'ClusterAllFailedError']);

/** Messages of errors of connections that have neither a class nor a code of their own. */
const connectionErrors =
  /^(Connection is closed|Cluster is|Too many Cluster redirections|None of startup nodes)/;

/** Whether the server refused the configured database when a connection began. */
export function isSelectError(error: unknown): boolean {
  const { name, command } = error as Error & { readonly command?: { readonly name: string } };
  return name === 'ReplyError' && command?.name === 'select';
}

/** Names the first key or the channel of a command that the permissions exclude, or that another program uses, because Redis
 *  does not. */
function nameKey(message: string, command: ConnectionError['command']): string {
  if (command === undefined || !/permissions to access .*(key|channel)|WRONGTYPE/.test(message))
    return message;
  const { name, args } = command;
  const position = name.startsWith('eval') ? 2 : args.indexOf('STREAMS') + 1;
  return `${message} (${name} ${args[position]})`;
}

/** For nodes of a Cluster and for Sentinels, ioredis hides why a connection could not be established, and has another delay
 *  in each message. Only commands to Sentinels time out. Redis does not say which option has the index. */
function explainIoredisMessage(message: string): string {
  return nameTlsSettings(message, { ca: 'redis.tls.ca', cert: 'redis.tls.certificate' })
    .replace(/ Retrying from scratch after \d+ms\./, '')
    .replace(
      'All sentinels are unreachable. Last error: ERR No such master with that name',
      'no Sentinel knows a master of this name (redis.sentinel.name)',
    )
    .replace('Command timed out', 'no answer in time (redis.timeouts.socket)')
    .replace(/DB index is out of range$/, '$& (redis.database, or the number in redis.url)')
    .replace('Connection is closed.', closedText)
    .replace(
      'use one of its names in the address of the server',
      'set `redis.tls.serverName` to one of its names',
    );
}

const closedText = 'the connection was refused, was closed, or timed out';

/** What the certificates may have to do with the message. Redis closes a connection after its alert of TLS, which the system
 *  drops if a command is on its way. Of nodes of a Cluster and of Sentinels, ioredis reports no alert and no certificate. */
function tlsHint(message: string): string {
  if (message.endsWith(closedText))
    return ', or a certificate was refused: `openssl s_client -connect HOST:PORT` with the files of `redis.tls` shows the reason';
  return /\b(ECONNRESET|EPIPE|closed the connection)$/.test(message)
    ? '; if every new connection ends so, the server refuses the client certificate (`redis.tls.certificate`), or demands one'
    : '';
}

/** Also matches errors inside of messages of scripts. Errors that depend on a key, on permissions or on the version of the
 *  server are not permanent. */
const permanentErrors =
  /Invalid stream ID|not an integer or out of range|not a valid float|syntax error|wrong number of arguments/i;

/** Patterns of server messages. The first match counts. */
const kindPatterns: readonly (readonly [RegExp, RedisFailureKind])[] = [
  [
    /\b(WRONGPASS|NOAUTH|NOPERM)\b|ACL failure|user executing the script|invalid password|without any password/,
    'authentication',
  ],
  [/\bOOM\b/, 'out of memory'],
  [/\bMISCONF\b/, 'not persisting'],
  // UNBLOCKED: the server becomes a replica while a command waits in it.
  [/\b(READONLY|UNBLOCKED)\b/, 'read only'],
  [/\b(LOADING|BUSY|MASTERDOWN)\b/, 'loading'],
  [/\b(MOVED|ASK|CLUSTERDOWN|TRYAGAIN|CROSSSLOT)\b|Cluster redirections/, 'cluster'],
];

function kindOf(message: string): RedisFailureKind {
  const match = kindPatterns.find(([pattern]) => pattern.test(message));
  if (match !== undefined) return match[1];
  // Errors of the server begin with an upper-case word. All others are errors of the connection.
  return /^[A-Z]{3,} /.test(message) ? 'refused' : 'unreachable';
}
