import { expect, test } from '@jest/globals';
import {
  explainLostConnection,
  explainTlsMessage,
  nameTlsSettings,
} from '../../../gateway/tls/explainTlsError.ts';

const openSsl = (reason: string): string =>
  `00EA39C9557F0000:error:0A00045C:SSL routines:ssl3_read_bytes:${reason}:../deps/openssl/openssl/ssl/record/rec_layer_s3.c:918:SSL alert number 116\n`;
const advice =
  'name its root authority in `tls.ca`, or start with NODE_OPTIONS=--use-system-ca if this machine trusts it';

test.each([
  [openSsl('wrong version number'), 'the server does not use TLS at this port'],
  [`write EPROTO ${openSsl('wrong version number')}`, 'the server does not use TLS at this port'],
  [openSsl('tlsv13 alert certificate required'), 'the server demands a client certificate; set `tls.cert`'],
  [
    `write EPROTO ${openSsl('ssl/tls alert handshake failure')}`,
    'the server refused the TLS handshake; it may demand a client certificate (`tls.cert`), or other ciphers',
  ],
  [openSsl('tlsv1 alert unknown ca'), 'the server refused the client certificate (`tls.cert`): unknown ca'],
  [
    openSsl('ssl/tls alert bad certificate'),
    'the server refused the client certificate (`tls.cert`): bad certificate',
  ],
  [
    openSsl('ssl/tls alert certificate expired'),
    'the server refused the client certificate (`tls.cert`): certificate expired',
  ],
  [openSsl('tlsv1 alert protocol version'), 'the server refused the TLS handshake: protocol version'],
  [openSsl('no protocols available'), 'the TLS connection failed: no protocols available'],
  ['self-signed certificate in certificate chain', `self-signed certificate in certificate chain; ${advice}`],
  [
    'unable to verify the first certificate; if the root CA is installed locally, try running Node.js with --use-system-ca',
    `unable to verify the first certificate; ${advice}`,
  ],
  [
    'certificate has expired',
    'the certificate of the server, or one of its authorities, has expired; renew it',
  ],
  [
    'certificate is not yet valid',
    'the certificate of the server is not valid yet; compare its dates with the clock of this machine',
  ],
  [
    "Hostname/IP does not match certificate's altnames: Host: a.test. is not in the cert's altnames: DNS:localhost, IP Address:127.0.0.1",
    'the certificate of the server is not for a.test, but for DNS:localhost, IP Address:127.0.0.1; use one of its names in the address of the server',
  ],
  [
    "Hostname/IP does not match certificate's altnames: Host: a.test. is not cert's CN: b.test",
    'the certificate of the server is not for a.test, but for b.test; use one of its names in the address of the server',
  ],
  [
    "Hostname/IP does not match certificate's altnames: IP: 127.0.0.1 is not in the cert's list: ",
    'the certificate of the server is not for 127.0.0.1; use one of its names in the address of the server',
  ],
  ['connect ECONNREFUSED 127.0.0.1:4001', 'connect ECONNREFUSED 127.0.0.1:4001'],
])('the message %j is explained', (message, explained) => {
  expect(explainTlsMessage(message)).toBe(explained);
});

test('only the loss of a connection with a client certificate has a hint, and the code stays', () => {
  const lost = Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' });
  const refused = Object.assign(new Error('refused'), { code: 'ECONNREFUSED' });
  expect(explainLostConnection(lost, { cert: 'a' })).toMatchObject({
    message: 'socket hang up; the server may have refused the client certificate (`tls.cert`)',
    code: 'ECONNRESET',
  });
  expect(explainLostConnection(lost, {})).toBe(lost);
  expect(explainLostConnection(lost, undefined)).toBe(lost);
  expect(explainLostConnection(refused, { cert: 'a' })).toBe(refused);
});

test.each([
  [openSsl('tlsv13 alert certificate required'), 'the server demands a client certificate'],
  [
    openSsl('ssl/tls alert handshake failure'),
    'the server refused the TLS handshake; it may demand a client certificate, or other ciphers',
  ],
  [openSsl('tlsv1 alert unknown ca'), 'the server refused the client certificate: unknown ca'],
  ['self-signed certificate', `self-signed certificate; ${advice.replace('tls.ca', 'NODE_EXTRA_CA_CERTS')}`],
])('the message %j names no option where none sets a client certificate', (message, explained) => {
  expect(nameTlsSettings(explainTlsMessage(message), { ca: 'NODE_EXTRA_CA_CERTS' })).toBe(explained);
});
