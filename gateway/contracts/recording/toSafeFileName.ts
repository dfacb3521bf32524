import { createHash } from 'node:crypto';

/** Maximum length, so that the file name with its prefix and suffix stays below the limits of file systems. */
const maxLength = 64;

/** A file name that is safe on every file system, made of untrusted text: no path, no device, not hidden. When
 *  characters had to be replaced, a hash of the original text keeps different texts apart. */
export function toSafeFileName(text: string): string {
  const safe = text
    .replaceAll(/[^A-Za-z0-9._-]+/g, '_')
    .slice(0, maxLength)
    .replace(/^\.+/, '_')
    .replace(/\.+$/, '_');
  const name = safe === '' || isWindowsDevice(safe) ? `_${safe}` : safe;
  if (name === text) return name;
  const hash = createHash('sha256').update(text.toWellFormed()).digest('hex').slice(0, 8);
  return `${name.slice(0, maxLength - hash.length - 1)}-${hash}`;
}

// Windows treats these names as devices, with any extension.
function isWindowsDevice(name: string): boolean {
  return /^(con|prn|aux|nul|com\d|lpt\d|conin\$|conout\$)(\.|$)/i.test(name);
}
