import { scalar } from '../scalars.ts';

const connectionHeaders = new Set([
  'accept',
  'accept-encoding',
  'connection',
  'content-encoding',
  'content-length',
  'content-type',
  'expect',
  'host',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** The name of a header. The parsed value is in lower case. */
export const anyHeaderName = nameOf('a header name', () => true);

/** The name of a client header that may be forwarded. The parsed value is in lower case. */
export const headerName = nameOf(
  'a header name, except headers of the connection and the body such as host and content-type',
  (name) => !connectionHeaders.has(name),
);

function nameOf(expected: string, isValid: (name: string) => boolean) {
  return scalar<string, string>({
    title: 'header name',
    expected,
    read: (input) => {
      if (typeof input !== 'string' || !/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(input)) return undefined;
      const name = input.toLowerCase();
      return isValid(name) ? name : undefined;
    },
    editorSchemas: [{ type: 'string' }],
  });
}
