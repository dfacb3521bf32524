const alertText = /alert (?<alert>[\w ]+)$/;

/** OpenSSL's texts: `00EA39C9557F0000:error:0A00045C:SSL routines:ssl3_read_bytes:REASON:../deps/openssl/…`. */
const openSslText = /^.*\berror:[\dA-F]+:SSL routines:[^:]*:(?<reason>[^:]+).*$/s;

/** Node's text for a certificate that is valid for other hosts. */
const otherHostText =
  /^Hostname\/IP does not match certificate's altnames: (?:Host|IP): (?<host>\S+?)\.? is not (?:in the )?cert's (?:altnames|list|CN): *(?<names>.*?)\s*$/s;

/** Node and OpenSSL, for certificates whose authority is not known. */
const unknownAuthorityText =
  /^(?<problem>self-signed certificate(?: in certificate chain)?|unable to (?:get (?:local )?issuer certificate|verify the first certificate))(?:; if the root CA is installed locally.*)?$/s;

/** Says what a message about TLS means, and which option of a subgraph is about it; returns other messages unchanged.
 *  OpenSSL's messages have addresses and a source file, and no hint. */
export function explainTlsMessage(message: string): string {
  const reason = openSslText.exec(message)?.groups?.reason?.trim();
  if (reason !== undefined) return explainReason(reason);
  const authority = unknownAuthorityText.exec(message)?.groups?.problem;
  if (authority !== undefined)
    return `${authority}; name its root authority in \`tls.ca\`, or start with NODE_OPTIONS=--use-system-ca if this machine trusts it`;
  const otherHost = otherHostText.exec(message)?.groups;
  if (otherHost !== undefined)
    return `the certificate of the server is not for ${otherHost.host}${otherHost.names && `, but for ${otherHost.names}`}; use one of its names in the address of the server`;
  return plainMessages.get(message) ?? message;
}

/** Names in an explained message what sets the authorities and the client certificate of a connection to another server
 *  than a subgraph. Without `cert`, nothing sets the client certificate. */
export function nameTlsSettings(message: string, { ca, cert }: { ca: string; cert?: string }): string {
  const named = message.replaceAll('`tls.ca`', `\`${ca}\``);
  return cert === undefined
    ? named.replace(/; set `tls\.cert`| \(`tls\.cert`\)/, '')
    : named.replaceAll('`tls.cert`', `\`${cert}\``);
}

const plainMessages: ReadonlyMap<string, string> = new Map([
  [
    'certificate has expired',
    'the certificate of the server, or one of its authorities, has expired; renew it',
  ],
  [
    'certificate is not yet valid',
    'the certificate of the server is not valid yet; compare its dates with the clock of this machine',
  ],
  [
    'Client network socket disconnected before secure TLS connection was established',
    'the server closed the connection during the TLS handshake',
  ],
]);

function explainReason(reason: string): string {
  if (reason === 'wrong version number') return 'the server does not use TLS at this port';
  const alert = alertText.exec(reason)?.groups?.alert;
  if (alert === undefined) return `the TLS connection failed: ${reason}`;
  if (alert === 'certificate required') return 'the server demands a client certificate; set `tls.cert`';
  // From TLS 1.2 servers also for a missing certificate.
  if (alert === 'handshake failure')
    return 'the server refused the TLS handshake; it may demand a client certificate (`tls.cert`), or other ciphers';
  if (/certificate|unknown ca|access denied|decrypt error/.test(alert))
    return `the server refused the client certificate (\`tls.cert\`): ${alert}`;
  return `the server refused the TLS handshake: ${alert}`;
}

const lostConnectionCodes: ReadonlySet<unknown> = new Set(['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET']);

/** Adds a hint to the error of a new connection that was lost before any response: some servers, such as those of Node.js,
 *  close the connection without an alert if they refuse the client certificate. */
export function explainLostConnection(
  error: Error & { readonly code?: unknown },
  tls: { readonly cert?: unknown } | undefined,
): Error {
  if (tls?.cert === undefined || !lostConnectionCodes.has(error.code)) return error;
  const hint = 'the server may have refused the client certificate (`tls.cert`)';
  return Object.assign(new Error(`${explainTlsMessage(error.message)}; ${hint}`, { cause: error }), {
    code: error.code,
  });
}
