import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';

interface CertificateOptions {
  /** Common name of the subject, and of the issuer of a self-signed certificate. */
  readonly name: string;
  /** The authority that signs the certificate; self-signed when omitted. */
  readonly issuer?: TestCertificate | undefined;
  readonly isAuthority?: boolean | undefined;
  /** With a key of RSA that is too short for OpenSSL. Needs an issuer. */
  readonly isWeak?: boolean | undefined;
  /** From one day ago when omitted. */
  readonly notBefore?: Date | undefined;
  /** In thirty days when omitted. */
  readonly notAfter?: Date | undefined;
}

export interface TestCertificate {
  readonly name: string;
  /** PEM. */
  readonly cert: string;
  /** PEM. */
  readonly key: string;
  readonly privateKey: KeyObject;
}

const dayMs = 86_400_000;

/** Creates a certificate (RFC 5280) for `localhost` and 127.0.0.1, with a P-256 key by default. For tests only. */
export function createCertificate({
  name,
  issuer,
  isAuthority = false,
  isWeak = false,
  notBefore = new Date(Date.now() - dayMs),
  notAfter = new Date(Date.now() + 30 * dayMs),
}: CertificateOptions): TestCertificate {
  const { publicKey, privateKey } = isWeak
    ? generateKeyPairSync('rsa', { modulusLength: 1024 })
    : generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const algorithm = sequence(objectId(0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02)); // ecdsa-with-SHA256
  const details = sequence(
    der(0xa0, integer(Buffer.from([2]))), // version 3
    integer(Buffer.concat([Buffer.from([1]), randomBytes(8)])),
    algorithm,
    distinguishedName(issuer?.name ?? name),
    sequence(utcTime(notBefore), utcTime(notAfter)),
    distinguishedName(name),
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, sequence(basicConstraints(isAuthority), subjectAltName())),
  );
  const signature = sign('sha256', details, issuer?.privateKey ?? privateKey);
  const certificate = sequence(details, algorithm, der(0x03, Buffer.from([0]), signature));
  const base64 = (certificate.toString('base64').match(/.{1,64}/g) ?? []).join('\n');
  return {
    name,
    cert: `-----BEGIN CERTIFICATE-----\n${base64}\n-----END CERTIFICATE-----\n`,
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
    privateKey,
  };
}

function der(tag: number, ...contents: readonly Buffer[]): Buffer {
  const content = Buffer.concat(contents);
  const { length } = content;
  const header = length < 128 ? [tag, length] : [tag, 0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from(header), content]);
}

function sequence(...contents: readonly Buffer[]): Buffer {
  return der(0x30, ...contents);
}

function integer(bytes: Buffer): Buffer {
  return der(0x02, bytes);
}

function objectId(...bytes: readonly number[]): Buffer {
  return der(0x06, Buffer.from(bytes));
}

function utcTime(date: Date): Buffer {
  return der(
    0x17,
    Buffer.from(
      `${date
        .toISOString()
        .replace(/[-:T]|\.\d+/g, '')
        .slice(2)}`,
    ),
  );
}

function distinguishedName(commonName: string): Buffer {
  return sequence(der(0x31, sequence(objectId(0x55, 0x04, 0x03), der(0x0c, Buffer.from(commonName)))));
}

function basicConstraints(isAuthority: boolean): Buffer {
  const value = sequence(...(isAuthority ? [der(0x01, Buffer.from([0xff]))] : []));
  return sequence(objectId(0x55, 0x1d, 0x13), der(0x01, Buffer.from([0xff])), der(0x04, value));
}

function subjectAltName(): Buffer {
  const names = sequence(der(0x82, Buffer.from('localhost')), der(0x87, Buffer.from([127, 0, 0, 1])));
  return sequence(objectId(0x55, 0x1d, 0x11), der(0x04, names));
}
