import { z } from 'zod';
import { flag, pemFile, text } from '../scalars.ts';
import { sentHeaderName } from './headerName.ts';

const ca = pemFile().describe(
  "PEM file with the certificate authorities that may have signed the subgraph's certificate, instead of Node's own. A relative path starts at the directory of the configuration file. The file is read again when it changes.",
);
const cert = pemFile().describe(
  "PEM file with the gateway's certificate for subgraphs that demand one, and with those between it and its authority. Needs `key`.",
);
const key = pemFile().describe('PEM file with the private key of `cert`, without a passphrase.');

// No default: an empty secret is refused, so that an empty environment variable does not turn signing off.
const secret = text({
  title: 'secret',
  expected:
    'a key of at least 32 random bytes, or no `secret`, or `enabled: false`, for requests without a signature',
  isValid: (value) => value.trim() !== '',
})
  .describe(
    'Key with which the body of every HTTP request to the subgraph is signed (HMAC-SHA256): at least 32 random bytes. Without it, requests are not signed. See [headers.md](headers.md#signed-requests).',
  )
  .optional();
const enabled = flag().describe(
  '`false` for a subgraph whose requests are not signed although `all` has a `secret`.',
);
const header = sentHeaderName.describe('Header that has the signature: `sha256=` and 64 hexadecimal digits.');

/** `tls` of all subgraphs. */
export const allTls = z
  .strictObject({ ca: ca.prefault(''), cert: cert.prefault(''), key: key.prefault('') })
  .prefault({});

/** `tls` of one subgraph. */
export const ownTls = z
  .strictObject({ ca: ca.optional(), cert: cert.optional(), key: key.optional() })
  .optional();

/** `signing` of all subgraphs. */
export const allSigning = z
  .strictObject({ enabled: enabled.prefault(true), secret, header: header.prefault('x-tributary-signature') })
  .prefault({});

/** `signing` of one subgraph. */
export const ownSigning = z
  .strictObject({ enabled: enabled.optional(), secret, header: header.optional() })
  .optional();
