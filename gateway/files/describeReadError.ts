/** Why a file could not be read, to follow its name: "does not exist". */
export function describeReadError(error: unknown): string {
  const isObject = typeof error === 'object' && error !== null;
  switch (isObject && 'code' in error ? error.code : undefined) {
    case 'ENOENT':
      return 'does not exist';
    case 'EACCES':
      return 'is not readable for this process';
    case 'EISDIR':
      return 'is a directory';
    case 'ERR_ENCODING_INVALID_ENCODED_DATA':
      return 'is not UTF-8 text';
    default:
      return `could not be read: ${isObject && 'message' in error ? String(error.message) : String(error)}`;
  }
}
